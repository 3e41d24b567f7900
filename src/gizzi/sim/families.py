"""The families on a validator's metrics page, written short; `page` spells them out.

A word is `type:name{label=value|value,…}` under its prefix. c, g: counter, gauge; h: a histogram of 12 buckets, h10 of 10. A value in
capitals stands for a list below; @ for the genesis hash with which protocols' names begin.
"""

from __future__ import annotations

FAMILIES: dict[str, str] = {
    "polkadot_parachain_": """
c:activated_heads_total c:approval_candidate_signatures_requests_total g:approval_checking_finality_lag
c:approval_distribution_aggression_l1_messages_total c:approval_distribution_aggression_l2_messages_total
g:approval_unapproved_candidates_in_unfinalized_chain h10:approvals_blockapproval_time_ticks h10:approvals_candidate_approval_time_ticks
c:approvals_imported_total c:approvals_no_shows_total c:approvals_produced_total{status=success} c:approvals_wakeups_total
c:assignments_imported_total h:assignments_produced h:av_store_block_activated h16:av_store_get_chunk h:av_store_process_block_finalized
h:av_store_process_message h:av_store_pruning h:av_store_store_available_data h:av_store_store_chunk
c:availability_recovery_chunk_requests_issued c:availability_recovery_recoveries_finished{result=success}
c:availability_recovery_recovieries_started h:availability_recovery_time_chunk_request h:availability_recovery_time_erasure_recovery
h:availability_recovery_time_total h:availability_reencode_chunks h:bitfield_distribution_active_leaves_update
h:bitfield_distribution_handle_bitfield_distribution h:bitfield_distribution_handle_network_msg h16:bitfield_signing_run
c:bitfields_signed_total c:candidate_backing_candidates_seconded_total h:candidate_backing_get_backed_candidates
h:candidate_backing_process_second h:candidate_backing_process_statement c:candidate_backing_signed_statements_total
c:candidate_dispute_votes{validity=invalid|valid} c:candidate_disputes_total h11:candidate_validation_code_size
h11:candidate_validation_pov_size{compressed=false|true} h:candidate_validation_validate_candidate_exhaustive
h:candidate_validation_validate_from_chain_state h:candidate_validation_validate_from_exhaustive h:chain_api_ancestors
h:chain_api_block_headers h:chain_api_block_number h:chain_api_block_weight h:chain_api_finalized_block_hash
h:chain_api_finalized_block_number c:chain_api_requests_total{success=succeeded} h:collation_generation_new_activations
h:collation_generation_per_availability_core h:collation_generation_per_relay_parent h:collation_generation_submit_collation
c:collations_generated_total g:collator_peer_count h14:collator_protocol_validator_collation_request_duration
h:collator_protocol_validator_handle_collation_request_result h:collator_protocol_validator_process_msg
h:collator_protocol_validator_request_unblocked_collations c:deactivated_heads_total g:desired_peer_count{protocol=validation}
c:dispute_candidate_approval_votes_fetched_total h11:dispute_coordinator_vote_cleanup c:dispute_distribution_received_requests
h:dispute_distribution_time_dispute_request g:dispute_participation_best_effort_queue_size h:dispute_participation_durations
h:dispute_participation_pipeline_durations g:dispute_participation_priority_queue_size c:dispute_refrained_participations
g:disputes_finality_lag c:fetch_retries_total c:fetched_chunks_total{success=succeeded} c:fetched_onchain_disputes
c:imported_candidates_total c:inherent_data_dispute_statement_sets c:inherent_data_requests_total{success=succeeded}
c:messages_relayed_total c:messages_sent_total{type=available_data_fetching_v1|chunk_fetching_v1|validation_v1|report_peer}
h6:network_bridge_rx_delayed h:network_bridge_rx_delayed_time c:network_report_events_total
c:notification_bytes_received_total{protocol=validation/1} c:notification_bytes_sent_total{protocol=validation/1}
c:notifications_received_total{protocol=validation/1} c:notifications_sent_total{protocol=validation/1}
g:overseer_signals_received{subsystem_name=SUBSYSTEMS} g:overseer_signals_sent{subsystem_name=SUBSYSTEMS}
c:peer_connect_events_total{protocol=validation/1} g:peer_count{protocol=validation/1}
h:prospective_parachains_prune_view_candidate_storage h:provisioner_inherent_data_response_bitfields_sent
c:provisioner_partitioned_disputes{partition=active_concluded_onchain|active_unconcluded_onchain|active_unknown_onchain|inactive_concluded_known_onchain|inactive_unconcluded_known_onchain|inactive_unknown_onchain}
h:provisioner_provisionable_data_time h:provisioner_request_inherent_data_time c:received_availability_chunks_total
c:received_availabilty_bitfields_total h:runtime_api_make_runtime_api_request
c:runtime_api_requests_total{success=cached|failed|succeeded} c:sent_own_availabilty_bitfields_total
h14:statement_distribution_active_leaves_update g:statement_distribution_created_message_size
h14:statement_distribution_network_bridge_update{message_type=circulate_statement|handle_incoming_message|new_gossip_topology|peer_view_change}
c:statement_distribution_sent_requests_total h14:statement_distribution_share c:statements_distributed_total
g:subsystem_bounded_blocked{subsystem_name=SUBSYSTEMS} g:subsystem_bounded_received{subsystem_name=SUBSYSTEMS}
g:subsystem_bounded_sent{subsystem_name=SUBSYSTEMS} h:subsystem_bounded_tof{subsystem_name=SUBSYSTEMS}
g:subsystem_unbounded_received{subsystem_name=SUBSYSTEMS} g:subsystem_unbounded_sent{subsystem_name=SUBSYSTEMS}
h:subsystem_unbounded_tof{subsystem_name=SUBSYSTEMS} h:time_approval_db_transaction h:time_awaiting_approval_voting
h:time_import_pending_now_known h:time_recover_and_approve h16:time_unify_with_peer c:unified_with_peer_total
c:validation_requests_total{validity=valid}
""",
    "polkadot_": """
g:node_is_active_validator g:node_is_parachain_validator c:pvf_execute_enqueued c:pvf_execute_finished h16:pvf_execution_time
h10:pvf_precheck_judgement c:pvf_precheck_pvfs_left c:pvf_precheck_pvfs_observed c:pvf_precheck_votes_duplicate
c:pvf_precheck_votes_started c:pvf_precheck_votes_total h14:pvf_preparation_time c:pvf_prepare_concluded c:pvf_prepare_enqueued
c:pvf_worker_spawned{flavor=execute|prepare} c:pvf_worker_spawning{flavor=execute|prepare}
""",
    "substrate_sub_libp2p_": """
c:connections_opened_total{direction=in|out} c:distinct_peers_connections_closed_total c:distinct_peers_connections_opened_total
c:incoming_connections_handshake_errors_total{reason=transport-error} c:incoming_connections_total g:is_major_syncing
h11:kademlia_query_duration{type=value-found|value-put-failed} c:kademlia_random_queries_total g:kademlia_records_count
g:kademlia_records_sizes_total g:kbuckets_num_nodes{lower_ilog2_bucket_bound=255} c:listeners_errors_total g:listeners_local_addresses
c:network_bytes_total{direction=in|out} h9:notifications_sizes{direction=in|out,protocol=VOTES}
c:notifications_streams_opened_total{protocol=STREAMS} c:out_events_events_total{action=sent,event_name=EVENTS,name=LISTENERS}
c:out_events_notifications_sizes{action=sent,name=LISTENERS,protocol=VOTES} g:out_events_num_channels{name=LISTENERS} g:peers_count
g:peerset_num_discovered g:pending_connections c:pending_connections_errors_total{reason=limit-reached}
h17:requests_in_success_total{protocol=@/sync/2} h17:requests_out_success_total{protocol=@/req_available_data/1|@/req_chunk/1|@/sync/2}
""",
    "substrate_": """
g:authority_discovery_amount_external_addresses_last_published g:authority_discovery_authority_address_requests_pending
c:authority_discovery_authority_addresses_requested_total c:authority_discovery_dht_event_received{name=value_found|value_put_failed}
c:authority_discovery_handle_value_found_event_failure g:authority_discovery_known_authorities_count
c:authority_discovery_times_published_total c:beefy_bad_justification_imports g:beefy_best_block g:beefy_best_voted
g:beefy_buffered_justifications c:beefy_buffered_justifications_dropped c:beefy_equivocation_votes
c:beefy_failed_justification_responses c:beefy_good_justification_imports c:beefy_imported_justifications c:beefy_invalid_votes
c:beefy_lagging_sessions c:beefy_no_authority_found_in_store c:beefy_on_demand_justification_good_proof
c:beefy_on_demand_justification_invalid_proof c:beefy_on_demand_justification_no_peer_to_request_from
c:beefy_on_demand_justification_peer_error g:beefy_should_vote_on c:beefy_stale_justifications c:beefy_stale_votes
c:beefy_successful_handled_votes c:beefy_successful_justification_responses g:beefy_validator_set_id c:beefy_votes_sent
g:block_height{status=best|finalized|sync_target} h:block_verification_and_import_time h:block_verification_time{result=success}
g:build_info{name=node,version=1} g:database_cache_bytes
c:finality_grandpa_communication_gossip_validator_messages{action=discard|keep|process_and_discard,message=vote}
c:finality_grandpa_precommits_total c:finality_grandpa_prevotes_total g:finality_grandpa_round
g:finality_grandpa_until_imported_waiting_messages_number c:import_queue_processed_total{result=success} c:issued_light_requests
h:justification_import_time c:network_gossip_expired_messages_total c:network_gossip_registered_messages_total g:node_roles
g:number_leaves g:process_start_time_seconds h:proposer_block_constructed h:proposer_block_proposal_time
h:proposer_create_inherents_time c:proposer_end_proposal_reason{reason=no_more_transactions} g:proposer_number_of_transactions
g:ready_transactions_number c:rpc_sessions_closed c:rpc_sessions_opened g:state_cache_bytes c:sub_txpool_block_transactions_pruned
c:sub_txpool_block_transactions_resubmitted c:sub_txpool_submitted_transactions c:sub_txpool_validations_finished
c:sub_txpool_validations_invalid c:sub_txpool_validations_scheduled g:sync_extra_justifications{status=active|failed|importing|pending}
g:sync_fork_targets c:sync_import_queue_blocks_submitted c:sync_import_queue_justifications_submitted g:sync_peers
c:sync_propagated_transactions g:sync_queued_blocks c:tasks_ended_total{reason=finished,TASKS} h10:tasks_polling_duration{TASKS}
c:tasks_polling_started_total{TASKS} c:tasks_spawned_total{TASKS} g:tokio_threads_alive c:tokio_threads_total
c:unbounded_channel_len{action=received|send,entity=RECEIVED} g:unbounded_channel_size{entity=CHANNELS}
""",
    "beefy_": """
c:on_demand_justification_peer_refused
""",
}

TASKS = """
async/approval-voting: approval-checks*
async/authority-discovery: authority-discovery-worker
async/availability-distribution: + chunk-fetcher* chunk-receiver pov-receiver
async/availability-recovery: + recovery-task*
async/babe: babe-worker
async/bitfield-distribution: +
async/bitfield-signing: bitfield-signing-job*
async/candidate-backing: +
async/candidate-validation: + validate-from-exhaustive*
async/collation-generation: +
async/collator-protocol: +
async/default: import-queue informant prometheus-endpoint storage-monitor telemetry-periodic-send unpin-worker
async/dispute-distribution: + disputes-receiver get_active_disputes*
async/gossip-support: +
async/networking: block-request-handler libp2p-node* light-client-request-handler network-transactions-handler peer-store
state-request-handler system-rpc-handler warp-sync-request-handler
async/offchain-work: offchain-workers-runner
async/offchain-worker: offchain-on-block*
async/overseer: metrics-metronome
async/prospective-parachains: +
async/provisioner: + send-inherent-data*
async/pvf-checker: +
async/relay-chain-selection: approval-checking-lag-update*
async/rpc: substrate-rpc-subscription*
async/statement-distribution: candidate-responder large-statement-responder +
async/transaction-pool: on-transaction-imported txpool-background txpool-notifications
blocking/approval-distribution: +
blocking/approval-voting: +
blocking/availability-recovery: erasure-task*
blocking/availability-store: +
blocking/bitfield-signing: +
blocking/block-import: basic-block-import-worker
blocking/candidate-validation: pvf-validation-host
blocking/chain-api: +
blocking/chain-selection: +
blocking/default: babe basic-authorship-proposer* beefy-gadget grandpa-voter overseer syncing
blocking/dispute-coordinator: +
blocking/network-bridge-rx: network-bridge-in-network-worker +
blocking/network-bridge-tx: +
blocking/networking: chain-sync-network-service-provider network-worker
blocking/runtime-api: polkadot-runtime-api-request* +
blocking/transaction-pool: transaction-pool-task-0 transaction-pool-task-1
"""
"""kind/group: names, of which + is the group's own subsystem; one with * is spawned and ends all the time."""

LISTS: dict[str, str] = {
    "SUBSYSTEMS": """
approval-distribution-subsystem approval-voting-subsystem availability-distribution-subsystem availability-recovery-subsystem
availability-store-subsystem bitfield-distribution-subsystem bitfield-signing-subsystem candidate-backing-subsystem
candidate-validation-subsystem chain-api-subsystem chain-selection-subsystem collation-generation-subsystem collator-protocol-subsystem
dispute-coordinator-subsystem dispute-distribution-subsystem gossip-support-subsystem network-bridge-rx-subsystem
network-bridge-tx-subsystem prospective-parachains-subsystem provisioner-subsystem pvf-checker-subsystem runtime-api-subsystem
statement-distribution-subsystem
""",
    "CHANNELS": """
mpsc_api_protocol mpsc_beefy_best_block_notification_stream mpsc_beefy_gossip_validator mpsc_buffered_link mpsc_chain_sync
mpsc_finality_notification_stream mpsc_grandpa_gossip_validator mpsc_grandpa_neighbor_packet_worker mpsc_import_notification_stream
mpsc_import_queue_worker_blocks mpsc_network_service_provider mpsc_network_worker mpsc_notifications_protocol mpsc_ocw_to_api
mpsc_ocw_to_worker mpsc_protocol_controllers_to_notifications mpsc_revalidation_queue mpsc_syncing_engine_protocol network-gossip
transactions-handler-sync unpin-worker-channel
""",
    "RECEIVED": """
mpsc_api_protocol mpsc_beefy_best_block_notification_stream mpsc_beefy_gossip_validator mpsc_buffered_link mpsc_chain_sync
mpsc_finality_notification_stream mpsc_grandpa_gossip_validator mpsc_grandpa_neighbor_packet_worker mpsc_import_notification_stream
mpsc_import_queue_worker_blocks mpsc_network_service_provider mpsc_network_worker mpsc_notifications_protocol
mpsc_protocol_controllers_to_notifications mpsc_revalidation_queue mpsc_syncing_engine_protocol network-gossip transactions-handler-sync
unpin-worker-channel
""",
    "LISTENERS": """
authority-discovery network-gossip polkadot-network-bridge transactions-handler-net
""",
    "VOTES": """
@/beefy/2 @/grandpa/1 @/validation/1
""",
    "STREAMS": """
@/beefy/2 @/grandpa/1 @/transactions/1 @/validation/1
""",
    "EVENTS": """
dht notif-\\"@/beefy/2\\" notif-\\"@/grandpa/1\\" notif-\\"@/validation/1\\" notif-open-\\"@/beefy/2\\" notif-open-\\"@/grandpa/1\\"
notif-open-\\"@/transactions/1\\" notif-open-\\"@/validation/1\\"
""",
}
