//! HTTP transports of the waystation gateway.
