//! The account of what requests hold.

use crate::site::{Http2, Plan, Site, eventually};
use bytes::Bytes;
use std::sync::Mutex;
use std::sync::mpsc;
use thalweg_gateway::{Config, Memory};
use thalweg_proto::head::Response;
use thalweg_testkit::caller::Told;

/// A reply that goes on for long holds what waits of it, not all that was ever written.
#[test]
fn what_a_client_has_taken_is_not_held() {
    const PIECE: usize = 1 << 20;
    let memory = Memory::default();
    let config = Config {
        memory: memory.clone(),
        ..Config::default()
    };
    let plan = Plan {
        config,
        ..Plan::default()
    };
    let (let_go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let site = Site::planned(plan, move |remote| {
        remote.start(Response::new(200)).unwrap();
        remote.write(Bytes::from(vec![b'x'; PIECE])).unwrap();
        wait.lock().unwrap().recv().unwrap();
        remote.finish(None).unwrap();
    });
    let mut client = Http2::new(site.address);
    let reply = client.ask("GET", "/", true);
    client.until(|caller| {
        let pieces = caller.told.iter().map(|told| match told {
            Told::Data(_, octets) => octets.len(),
            _ => 0,
        });
        (pieces.sum::<usize>() == PIECE).then_some(())
    });
    eventually("nothing waits", || memory.held() < PIECE / 4);
    let_go.send(()).unwrap();
    assert_eq!(client.answer(reply).1.len(), PIECE);
}
