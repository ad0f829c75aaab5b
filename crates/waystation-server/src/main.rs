//! The `waystation` binary: hands the arguments to the library and returns its exit code, and chooses the
//! allocator. It holds no logic of its own.

use std::process::ExitCode;

/// Memory that is free goes back to the system when nobody has used it for a moment (docs/performance.md
/// has what others keep).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    waystation_server::cli::run()
}
