//! The auto router through the gateway: the statements of the contract about it, and its promises beyond.

mod feedback;
mod judge;
mod sessions;
mod settings;
mod shelf;
mod statements;
