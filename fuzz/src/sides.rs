//! Our session and the crate `h2` at the two ends of one connection: what one says the other hears.

use crate::peer::{Client, Peer, Server, Wire, number_in};
use crate::plan::{Ending, Half, Heard, Plan, octets, plans, shown, trailers_of};
use std::collections::BTreeMap;
use std::time::Instant;
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams as _};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::fuzz::Script;
use thalweg_testkit::splits::cut;

/// Rounds in which a connection of a few streams has come to its end.
const ROUNDS: usize = 2000;

/// Our client and `h2`'s server. Script: the seed of the cuts, and what is said.
pub fn h2_client_peer(script: &[u8]) {
    let (seed, plans) = read(script);
    let wire = Wire::default();
    let mut peer = Server::new(wire.clone(), &plans);
    let now = Instant::now();
    let mut ours = Caller::new(Session::client(Limits::default(), now));
    let mut ids = BTreeMap::new();
    for (number, plan) in plans.iter().enumerate() {
        let request = Request::new(b"POST")
            .with_scheme(b"http")
            .with_authority(b"a")
            .with_path(format!("/{number}").as_bytes());
        let request = with_fields(request, &plan.request, Request::with_field);
        let id = ours.session.open(request, plan.request.body.is_none());
        let id = id.expect("a good request");
        ids.insert(number, id);
        say(&mut ours, id, &plan.request);
    }
    let mut cancelled = Vec::new();
    run(seed, now, &mut ours, &wire, &mut peer, |ours| {
        cancel(ours, &plans, &ids, &mut cancelled, |plan| &plan.request);
    });
    let heard = heard_of(&ours, &ids);
    for (number, plan) in plans.iter().enumerate() {
        judge(plan, peer.heard().get(&number), heard.get(&number));
    }
}

/// Our server and `h2`'s client. Script: the seed of the cuts, and what is said.
pub fn h2_server_peer(script: &[u8]) {
    let (seed, plans) = read(script);
    let wire = Wire::default();
    let mut peer = Client::new(wire.clone(), &plans);
    let now = Instant::now();
    let mut ours = Caller::new(Session::server(Limits::default(), now));
    let mut ids = BTreeMap::new();
    let mut cancelled = Vec::new();
    run(seed, now, &mut ours, &wire, &mut peer, |ours| {
        cancel(ours, &plans, &ids, &mut cancelled, |plan| &plan.response);
        let requests = ours.told.iter().filter_map(|told| match told {
            Told::Request(id, head, _) => {
                let path = std::str::from_utf8(head.path().expect("a path")).expect("ASCII");
                Some((number_in(path), *id))
            }
            _ => None,
        });
        for (number, id) in requests.collect::<Vec<_>>() {
            if ids.insert(number, id).is_none() {
                let plan = &plans[number];
                let response = Response::new(plan.status);
                let response = with_fields(response, &plan.response, Response::with_field);
                let end = plan.response.body.is_none();
                // The client may have reset it already.
                if ours.session.respond(id, response, end).is_ok() {
                    say(ours, id, &plan.response);
                }
            }
        }
    });
    let heard = heard_of(&ours, &ids);
    for (number, plan) in plans.iter().enumerate() {
        judge(plan, heard.get(&number), peer.heard().get(&number));
    }
}

fn read(octets: &[u8]) -> (u64, Vec<Plan>) {
    let mut script = Script::new(octets);
    let seed = script.octet().unwrap_or_default();
    (seed.into(), plans(&mut script))
}

/// Lets octets cross until neither side has any. `act` is called when what we had to say has left.
fn run(
    mut seed: u64,
    now: Instant,
    ours: &mut Caller<Session>,
    wire: &Wire,
    peer: &mut dyn Peer,
    mut act: impl FnMut(&mut Caller<Session>),
) {
    let mut silent = 0;
    for _ in 0..ROUNDS {
        let there = ours.flush(now);
        act(ours);
        for piece in cut(&there, seed) {
            wire.give(piece);
            peer.step();
        }
        peer.step();
        let back = wire.take();
        for piece in cut(&back, seed) {
            ours.feed(now, piece);
        }
        seed = seed.wrapping_add(1);
        assert_eq!(ours.failure(), None, "h2 breaks no rule");
        silent = match there.is_empty() && back.is_empty() {
            true => silent + 1,
            false => 0,
        };
        if silent == 3 {
            return;
        }
    }
    panic!("they still talk after {ROUNDS} rounds");
}

fn with_fields<H>(head: H, half: &Half, with: impl Fn(H, &[u8], &[u8]) -> H) -> H {
    let lines = half.fields.iter();
    lines.fold(head, |head, (name, value)| {
        with(head, name.as_bytes(), value)
    })
}

fn say(ours: &mut Caller<Session>, id: StreamId, half: &Half) {
    let Some(pieces) = &half.body else {
        return;
    };
    let mut at = 0;
    for len in pieces {
        ours.say(id, octets(at, *len), false);
        at += len;
    }
    match half.ending {
        Ending::Plain => ours.say(id, Vec::new(), true),
        Ending::Trailers => {
            let mut trailers = Fields::new();
            for (name, value) in trailers_of() {
                trailers.push(name.as_bytes(), &value);
            }
            ours.say_trailers(id, trailers);
        }
        Ending::Reset => {}
    }
}

/// Resets our streams that are to be reset, each once. Their heads have left.
fn cancel(
    ours: &mut Caller<Session>,
    plans: &[Plan],
    ids: &BTreeMap<usize, StreamId>,
    cancelled: &mut Vec<usize>,
    half: impl Fn(&Plan) -> &Half,
) {
    for (number, id) in ids {
        if half(&plans[*number]).is_reset() && !cancelled.contains(number) {
            cancelled.push(*number);
            ours.session.reset(*id, Code::Cancel);
        }
    }
}

fn heard_of(ours: &Caller<Session>, ids: &BTreeMap<usize, StreamId>) -> BTreeMap<usize, Heard> {
    let mut all = BTreeMap::new();
    for (number, id) in ids {
        let mut heard: Option<Heard> = None;
        for told in &ours.told {
            match told {
                Told::Request(of, head, end) if of == id => {
                    heard = Some(Heard {
                        fields: shown(&head.fields),
                        ended: *end,
                        ..Heard::default()
                    });
                }
                Told::Response(of, head, end) if of == id => {
                    heard = Some(Heard {
                        status: head.status,
                        fields: shown(&head.fields),
                        ended: *end,
                        ..Heard::default()
                    });
                }
                Told::Data(of, octets) if of == id => {
                    heard.as_mut().expect("a head comes first").hear(octets);
                }
                Told::End(of, trailers) if of == id => {
                    let heard = heard.as_mut().expect("a head comes first");
                    heard.ended = true;
                    heard.trailers = trailers.as_ref().map(shown);
                }
                Told::Reset(of, code, _) if of == id => {
                    heard.get_or_insert_default().reset = Some(code.number());
                }
                _ => {}
            }
        }
        all.extend(heard.map(|heard| (*number, heard)));
    }
    all
}

/// Both sides have heard what the other said.
fn judge(plan: &Plan, request: Option<&Heard>, response: Option<&Heard>) {
    let disturbed = plan.request.is_reset() || plan.response.is_reset();
    match request {
        Some(heard) => heard.check(&plan.request, &plan.response),
        None => assert!(plan.request.is_reset(), "a request was not heard"),
    }
    match response {
        Some(heard) if heard.status > 0 => {
            assert_eq!(heard.status, plan.status);
            heard.check(&plan.response, &plan.request);
        }
        _ => assert!(disturbed, "a response was not heard"),
    }
}
