//! RFC 9218: what priorities say, who may say it, and what the server makes of it. A test for each requirement,
//! named after it.

mod s10_scheduling;
mod s2_1_settings;
mod s4_parameters;
mod s7_1_priority_update;
mod s8_merging;

use thalweg_proto::h2::Config;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Priority;
use thalweg_testkit::turns::Turns;

/// A server with a client that has said nothing about priorities yet.
fn turns() -> Turns {
    Turns::new(Config::default(), Limits::default(), &[])
}

fn priority(urgency: u8, incremental: bool) -> Priority {
    Priority {
        urgency,
        incremental,
    }
}
