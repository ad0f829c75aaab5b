//! The fault suite: everything that upstreams are known to do wrong, one by one and in any order, in
//! virtual time. `docs/faults.md` tells in words what is held here. No socket is opened; the same
//! list over real sockets is the outside suite's.

mod continuing;
mod deadlines;
mod exchange;
mod fault;
mod hedging;
mod hostile;
mod identities;
mod matrix;
mod scripts;
mod secrets;
mod statements;
mod traffic;
