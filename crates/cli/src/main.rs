//! The `thalweg` program.

use std::process::ExitCode;
use thalweg_cli::{Error, Host, Plan, run};

struct Interpreter;

impl Host for Interpreter {
    fn serve(&self, plan: Plan) -> Result<u8, Error> {
        Err(Error::new(format!(
            "{}: this program cannot start an interpreter yet",
            plan.serve.application
        )))
    }
}

fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os().skip(1), &Interpreter))
}
