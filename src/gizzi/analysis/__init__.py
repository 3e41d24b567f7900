"""What the roles' tools conclude: from logs, rules, peers and series to findings with evidence. Pure: no I/O, no waiting, no clock."""
