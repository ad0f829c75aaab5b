//! Simulated LLM upstreams, scripted faults and test fixtures for the waystation gateway.
