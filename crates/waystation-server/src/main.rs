//! The `waystation` binary: hands the arguments to the library and returns its exit code.
//! It holds no logic of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    waystation_server::cli::run()
}
