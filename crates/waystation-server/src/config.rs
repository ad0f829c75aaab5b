//! Configuration and environment, resolved into what the gateway starts with.
