//! Who takes part in these tests: a server with a small application, and a client with one request.

use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::error::Violation;
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Finish, Session as _, StreamId, Streams as _};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::splits::every_split;

/// A server's caller, with the default limits.
pub(crate) fn server(now: Instant) -> Caller<Session> {
    server_with(Limits::default(), now)
}

/// A server's caller.
pub(crate) fn server_with(limits: Limits, now: Instant) -> Caller<Session> {
    Caller::new(Session::server(Arc::new(limits), Scheme::Http, now))
}

/// A client's caller, with the default limits.
pub(crate) fn client(now: Instant) -> Caller<Session> {
    Caller::new(Session::client(Arc::new(Limits::default()), now))
}

/// What came of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// What the caller was told.
    pub(crate) told: Vec<Told>,
    /// What was written, as text.
    pub(crate) written: String,
    /// How the connection is left.
    pub(crate) end: Finish,
}

impl Outcome {
    /// The heads of the requests that were told.
    pub(crate) fn requests(&self) -> Vec<&Request> {
        let mut heads = Vec::new();
        for told in &self.told {
            if let Told::Request(_, head, _) = told {
                heads.push(head);
            }
        }
        heads
    }

    /// The final head of the response that was told.
    pub(crate) fn response(&self) -> Option<&Response> {
        self.told.iter().find_map(|told| match told {
            Told::Response(_, head, _) if !head.is_informational() => Some(head),
            _ => None,
        })
    }

    /// All content that was told, joined.
    pub(crate) fn content(&self) -> Vec<u8> {
        let data = |told: &Told| match told {
            Told::Data(_, octets) => Some(octets.clone()),
            _ => None,
        };
        self.told.iter().filter_map(data).flatten().collect()
    }

    /// Why the connection failed.
    pub(crate) fn failure(&self) -> Option<Violation> {
        self.told.iter().find_map(|told| match told {
            Told::Failed(error) => Some(error.why),
            _ => None,
        })
    }

    /// The statuses of the responses that were written.
    pub(crate) fn statuses(&self) -> Vec<&str> {
        (self.written.match_indices("HTTP/1.1 "))
            .map(|(at, start)| &self.written[at + start.len()..][..3])
            .collect()
    }

    /// Whether the exchange with this ordinal came to its end.
    pub(crate) fn finished(&self, number: u64) -> bool {
        self.told
            .contains(&Told::Finished(StreamId::new(number, 0)))
    }
}

/// Feeds a server in every cut. Its application answers each complete request with 200 and what was asked:
/// method, path and content.
pub(crate) fn serve(input: &[u8]) -> Outcome {
    serve_with(&Limits::default(), input)
}

/// As [`serve`], within these limits.
pub(crate) fn serve_with(limits: &Limits, input: &[u8]) -> Outcome {
    same_in_every_cut(input, |pieces| {
        let now = Instant::now();
        let mut caller = server_with(limits.clone(), now);
        let mut written = Vec::new();
        for piece in pieces {
            caller.feed(now, piece);
            run_application(&mut caller, now, &mut written);
        }
        outcome(caller, written)
    })
}

/// Feeds a client that has sent a request with this method in every cut, and ends the connection where `eof` says.
pub(crate) fn receive(method: &str, input: &[u8], eof: Option<Eof>) -> Outcome {
    same_in_every_cut(input, |pieces| {
        let now = Instant::now();
        let mut caller = client(now);
        caller.session.open(request(method), true).unwrap();
        let written = caller.flush(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        if let Some(how) = eof {
            caller.eof(now, how);
        }
        outcome(caller, written)
    })
}

/// A request to `http://a/`.
pub(crate) fn request(method: &str) -> Request {
    let head = Request::new(method.as_bytes()).with_authority(b"a:80");
    if method == "CONNECT" {
        head
    } else {
        head.with_scheme(b"http").with_path(b"/")
    }
}

/// Asserts that a server refuses the input for this reason, with an answer that says so and the end of the
/// connection.
pub(crate) fn assert_refused(input: &[u8], why: Violation) {
    let outcome = serve(input);
    assert_refusal(&outcome, why, &input.escape_ascii().to_string());
}

/// Asserts that this is what became of something that was to be refused.
pub(crate) fn assert_refusal(outcome: &Outcome, why: Violation, what: &str) {
    assert_eq!(outcome.failure(), Some(why), "{what}");
    let status = why.status().to_string();
    assert_eq!(outcome.statuses(), [status], "{what}");
    assert!(outcome.written.contains("\r\nconnection: close\r\n"));
    assert!(outcome.written.contains(why.text()));
    assert_eq!(outcome.end, Finish::Linger, "{what}");
}

fn same_in_every_cut(input: &[u8], mut run: impl FnMut(&[&[u8]]) -> Outcome) -> Outcome {
    let mut first: Option<Outcome> = None;
    every_split(input, |cut, pieces| {
        let outcome = run(pieces);
        match &first {
            None => first = Some(outcome),
            Some(first) => assert_eq!(*first, outcome, "{cut}: {}", input.escape_ascii()),
        }
    });
    first.expect("there is at least one cut")
}

fn outcome(caller: Caller<Session>, written: Vec<u8>) -> Outcome {
    Outcome {
        end: caller.session.wants().end,
        told: caller.told,
        written: String::from_utf8(written).expect("what these tests write is text"),
    }
}

/// Answers what is complete, until nothing is left to answer.
pub(crate) fn run_application(caller: &mut Caller<Session>, now: Instant, out: &mut Vec<u8>) {
    loop {
        let complete = caller.told.iter().rev().find_map(|told| match told {
            Told::Request(id, _, true) | Told::End(id, _) => Some(*id),
            _ => None,
        });
        if let Some(id) = complete
            && !caller.told.contains(&Told::Finished(id))
        {
            let content = echo(caller, id);
            let length = content.len().to_string();
            let head = Response::new(200).with_field(b"content-length", length.as_bytes());
            if caller.session.respond(id, head, false).is_ok() {
                caller.say(id, content, true);
            }
        }
        let written = caller.flush(now);
        out.extend_from_slice(&written);
        caller.step(now);
        if written.is_empty() {
            break;
        }
    }
}

fn echo(caller: &Caller<Session>, id: StreamId) -> Vec<u8> {
    let mut content = Vec::new();
    for told in &caller.told {
        match told {
            Told::Request(of, head, _) if *of == id => {
                content.extend_from_slice(head.method());
                content.push(b' ');
                content.extend_from_slice(head.path().unwrap_or_default());
            }
            Told::Data(of, octets) if *of == id => {
                content.push(b' ');
                content.extend_from_slice(octets);
            }
            _ => {}
        }
    }
    content
}
