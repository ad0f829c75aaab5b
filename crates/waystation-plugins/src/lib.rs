//! Request plugins of the waystation gateway: registry, pipeline and the plugins themselves.
