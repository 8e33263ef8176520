//! What a script can do beyond requests and responses: pushes, priorities, settings that change, frames of extensions.

use super::script::{Heard, Play};
use super::{OWN, request};
use crate::fuzz::Script;
use thalweg_proto::error::{Code, UsageError};
use thalweg_proto::h2::frame::{Dependency, Frame, Origins, Settings};
use thalweg_proto::session::{Priority, Role, StreamId, Streams as _};

/// Values of a Priority field, and what looks like one.
const PRIORITIES: [&[u8]; 4] = [b"u=0", b"u=5, i", b"i", b"u=?"];

/// The octets of `GET https://a/` in a field block.
const PROMISED: &[u8] = b"\x82\x87\x84\x41\x01a";

impl Play {
    /// One of them.
    pub(super) fn power(&mut self, script: &mut Script<'_>) {
        let which = script.octet().unwrap_or_default() % 16;
        let number = script.number();
        let known = self.pick(script).and_then(|known| self.streams.get(&known));
        let id = known.map_or(StreamId::new(1, 0), |heard| heard.id);
        if which < 8 {
            self.command_power(which, number, id);
        } else {
            self.peer_power(which, u32::from(number), id.number() as u32);
        }
        self.poll();
        self.check_tree();
    }

    /// The tree hangs together, and holds no more than it may.
    fn check_tree(&self) {
        let mut todo: Vec<_> = self.session.tree().into_iter().collect();
        let (mut places, mut empty) = (0, 0);
        while let Some(place) = todo.pop() {
            places += 1;
            empty += usize::from(place.number() != 0 && place.stream().is_none());
            let mut weights = 0;
            for child in place.children() {
                let parent = child.parent().map(|parent| parent.number());
                assert_eq!(parent, Some(place.number()));
                weights += u32::from(child.weight());
                todo.push(child);
            }
            assert_eq!(place.weight_of_children(), weights);
            assert!(places <= 1 + self.session.open_streams() + super::PLACEHOLDERS);
        }
        assert!(empty <= super::PLACEHOLDERS);
    }

    /// The caller's.
    fn command_power(&mut self, which: u8, number: u16, id: StreamId) {
        let value = u32::from(number);
        let answer = match which {
            0 | 1 => self.push(id),
            2 if number.is_multiple_of(3) => {
                let place = Dependency {
                    on: value % 16,
                    exclusive: number.is_multiple_of(2),
                    weight: number % 256 + 1,
                };
                match self.role {
                    Role::Server => self.session.depend(id.number() as u32, place),
                    Role::Client => self.session.advise(id.number() as u32, place),
                }
            }
            2 => {
                let priority = Priority {
                    urgency: number as u8,
                    incremental: number.is_multiple_of(2),
                };
                self.session.set_priority(id, priority);
                Ok(())
            }
            3 => self.session.ping(*b"somebody"),
            4 => {
                let entry = match number % 3 {
                    0 => (1, value % 300),
                    1 => (3, value % 4),
                    _ => (4, value % 3000),
                };
                self.session.announce(&[entry, (77, value)])
            }
            5 => self.session.send_frame(id.number(), OWN, 1, &b"ours"[..]),
            6 if number.is_multiple_of(2) => self.session.send_altsvc(Some(id), b"", b"clear"),
            6 => self.session.send_origins([&b"https://a"[..]]),
            _ => self.session.set_window(Some(id), value % 5000),
        };
        // A refusal is an answer, too.
        let _ = answer;
    }

    fn push(&mut self, on: StreamId) -> Result<(), UsageError> {
        let id = self.session.push(on, request(b"GET"))?;
        self.pushed += 1;
        let before = self.streams.insert(id.number(), Heard::new(id, true));
        assert!(before.is_none(), "{id} is promised once");
        Ok(())
    }

    /// The peer's.
    fn peer_power(&mut self, which: u8, number: u32, stream: u32) {
        let value = PRIORITIES
            .get(number as usize % PRIORITIES.len())
            .copied()
            .unwrap_or_default();
        match which {
            8 | 9 => self.frame(
                stream,
                Frame::Priority(Dependency {
                    on: number % 16,
                    exclusive: number.is_multiple_of(3),
                    weight: (number % 256 + 1) as u16,
                }),
            ),
            10 => self.frame(
                0,
                Frame::PriorityUpdate {
                    prioritized: stream + 2 * (number % 3),
                    value,
                },
            ),
            11 | 12 if self.role == Role::Client => {
                let promised = self.next_promise;
                self.next_promise += 2;
                self.frame(
                    stream,
                    Frame::PushPromise {
                        promised,
                        block: PROMISED,
                        end_headers: true,
                    },
                );
            }
            13 => {
                let frame = Frame::AltSvc {
                    origin: b"",
                    value: b"clear",
                };
                self.frame(stream, frame);
                let origins = Origins::new(b"\0\x09https://a").expect("a whole entry");
                self.frame(0, Frame::Origin(origins));
            }
            14 => self.frame(
                0,
                Frame::GoAway {
                    last: stream,
                    code: Code::NoError,
                    debug: b"so long",
                },
            ),
            15 => {
                let identifier: u16 = match (number % 3, self.role) {
                    (0, Role::Server) => 2,
                    (1, _) => 3,
                    _ => 9,
                };
                let mut entry = identifier.to_be_bytes().to_vec();
                entry.extend((number & 1).to_be_bytes());
                self.frame(0, Frame::Settings(Settings::new(&entry)));
            }
            _ => {
                let payload = b"theirs";
                let frame = Frame::Unknown {
                    number: OWN,
                    payload,
                };
                self.frame(stream, frame);
            }
        }
    }
}
