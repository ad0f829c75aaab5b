//! An embedded auto router: picks the model for a prompt, no network.
