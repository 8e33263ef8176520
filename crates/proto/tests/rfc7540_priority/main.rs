//! RFC 7540, section 5.3: the tree of dependencies and weights, what it makes of the connection, and how it is read.

mod client;
mod model;
mod s5_3_dependencies;
mod s5_3_shares;
mod schemes;

use thalweg_proto::h2::frame::Dependency;
use thalweg_proto::h2::{Config, Place, Session};
use thalweg_proto::limits::Limits;
use thalweg_testkit::turns::Turns;

/// A server with a client that has said nothing about priorities yet.
fn turns() -> Turns {
    Turns::new(Config::default(), Limits::default(), &[])
}

fn on(on: u32, weight: u16) -> Dependency {
    Dependency {
        on,
        exclusive: false,
        weight,
    }
}

fn alone_on(on: u32, weight: u16) -> Dependency {
    Dependency {
        on,
        exclusive: true,
        weight,
    }
}

/// A place and all below it, as `number:weight(children)`, those in the order of their numbers.
fn text_of(place: Place<'_>) -> String {
    let mut below: Vec<_> = place.children().collect();
    below.sort_by_key(|child| child.number());
    let below: Vec<_> = below.into_iter().map(text_of).collect();
    let own = format!("{}:{}", place.number(), place.weight());
    match below.is_empty() {
        true => own,
        false => format!("{own}({})", below.join(" ")),
    }
}

/// What depends on the root.
fn text(session: &Session) -> String {
    let root = session.tree().expect("a tree");
    text_of(root).replacen("0:16", "", 1)
}
