//! The frames of the shared collection `http2-frames` (each a JSON file): parsed as they say, and written again.
//! Where the collection is, THALWEG_SHARED tells.

use serde_json::Value;
use std::path::{Path, PathBuf};
use thalweg_proto::error::Violation;
use thalweg_proto::h2::frame::{Fault, Frame, HEADER_LEN, Header};

fn collection() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = match std::env::var_os("THALWEG_SHARED") {
        Some(shared) => PathBuf::from(shared),
        None => workspace.join("../shared"),
    };
    let folder = shared.join("data/http2-frames");
    folder.is_dir().then_some(folder)
}

fn cases(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cases.extend(cases_in(&path));
        }
    }
    cases.sort_by(|(one, _), (other, _)| one.cmp(other));
    cases
}

fn cases_in(folder: &Path) -> Vec<(PathBuf, Value)> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
#[allow(clippy::print_stderr)] // a skipped test says so
fn every_frame_of_the_collection_is_what_its_file_says() {
    let Some(folder) = collection() else {
        eprintln!(
            "SKIPPED: no http2-frames collection; set THALWEG_SHARED to the folder that has data/http2-frames"
        );
        return;
    };
    let cases = cases(&folder);
    assert!(cases.len() > 30);
    for (path, case) in cases {
        let wire = unhex(case["wire"].as_str().unwrap());
        let (header, payload) = wire.split_first_chunk::<HEADER_LEN>().unwrap();
        let header = Header::parse(*header);
        let parsed = header
            .check(1 << 14)
            .and_then(|()| Frame::parse(header, payload));
        match (&case["error"], parsed) {
            (Value::Null, Ok(frame)) => check(&path, &case["frame"], header, frame, &wire),
            (Value::Array(codes), Err(fault)) => {
                let (Fault::Connection(why) | Fault::Stream(why)) = fault;
                let code = u64::from(why.code().number());
                let allowed = codes.iter().any(|number| number.as_u64() == Some(code));
                assert!(allowed, "{}: {why:?} is none of {codes:?}", path.display());
            }
            (wanted, got) => panic!("{}: {wanted} but {got:?}", path.display()),
        }
    }
}

fn check(path: &Path, wanted: &Value, header: Header, frame: Frame<'_>, wire: &[u8]) {
    let name = path.display();
    let number = |value: &Value| value.as_u64();
    assert_eq!(
        number(&wanted["length"]),
        Some(u64::from(header.length)),
        "{name}"
    );
    assert_eq!(
        number(&wanted["type"]),
        Some(u64::from(header.kind.number())),
        "{name}"
    );
    assert_eq!(
        number(&wanted["flags"]),
        Some(u64::from(header.flags)),
        "{name}"
    );
    let stream = u64::from(header.stream);
    assert_eq!(number(&wanted["stream_identifier"]), Some(stream), "{name}");
    assert_eq!(header.octets(), wire[..HEADER_LEN], "{name}");
    let payload = &wanted["frame_payload"];
    let text = |key: &str| payload[key].as_str().unwrap().as_bytes().to_vec();
    let of = |key: &str| payload[key].as_u64();
    match frame {
        Frame::Data { data, .. } => assert_eq!(data, text("data"), "{name}"),
        Frame::Headers {
            block, priority, ..
        } => {
            assert_eq!(block, text("header_block_fragment"), "{name}");
            let weight = priority.map(|priority| u64::from(priority.weight));
            assert_eq!(weight, of("weight"), "{name}");
            let on = priority.map(|priority| u64::from(priority.on));
            assert_eq!(on, of("stream_dependency"), "{name}");
            let exclusive = priority.map(|priority| priority.exclusive);
            assert_eq!(exclusive, payload["exclusive"].as_bool(), "{name}");
        }
        Frame::Priority(priority) => {
            assert_eq!(Some(u64::from(priority.weight)), of("weight"), "{name}");
            assert_eq!(
                Some(u64::from(priority.on)),
                of("stream_dependency"),
                "{name}"
            );
            assert_eq!(
                Some(priority.exclusive),
                payload["exclusive"].as_bool(),
                "{name}"
            );
        }
        Frame::RstStream(code) => {
            assert_eq!(Some(u64::from(code.number())), of("error_code"), "{name}");
        }
        Frame::Settings(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(identifier, value)| serde_json::json!([identifier, value]))
                .collect();
            assert_eq!(Value::Array(entries), payload["settings"], "{name}");
        }
        Frame::PushPromise {
            promised, block, ..
        } => {
            assert_eq!(
                Some(u64::from(promised)),
                of("promised_stream_id"),
                "{name}"
            );
            assert_eq!(block, text("header_block_fragment"), "{name}");
        }
        Frame::Ping(octets) | Frame::PingAck(octets) => {
            assert_eq!(octets[..], text("opaque_data"), "{name}");
        }
        Frame::GoAway { last, code, debug } => {
            assert_eq!(Some(u64::from(last)), of("last_stream_id"), "{name}");
            assert_eq!(Some(u64::from(code.number())), of("error_code"), "{name}");
            assert_eq!(debug, text("additional_debug_data"), "{name}");
        }
        Frame::WindowUpdate(increment) => {
            let wanted = of("window_size_increment");
            assert_eq!(Some(u64::from(increment)), wanted, "{name}");
        }
        Frame::Continuation { block, .. } => {
            assert_eq!(block, text("header_block_fragment"), "{name}");
        }
        other => panic!("{name}: {other:?}"),
    }
    // Without padding, writing it again gives the same octets.
    if payload["padding_length"].is_null() {
        let mut again = Vec::new();
        frame.write(header.stream, &mut again);
        assert_eq!(again, wire, "{name}");
    }
}

#[test]
fn a_frame_of_any_kind_is_written_as_it_is_read() {
    let frames = [
        (
            1,
            Frame::Data {
                data: b"x",
                end_stream: true,
            },
        ),
        (0, Frame::SettingsAck),
        (0, Frame::PingAck([7; 8])),
        (
            2,
            Frame::PushPromise {
                promised: 4,
                block: b"b",
                end_headers: true,
            },
        ),
        (
            9,
            Frame::Unknown {
                number: 0x20,
                payload: b"any",
            },
        ),
    ];
    for (stream, frame) in frames {
        let mut wire = Vec::new();
        frame.write(stream, &mut wire);
        let (header, payload) = wire.split_first_chunk::<HEADER_LEN>().unwrap();
        let header = Header::parse(*header);
        assert_eq!((header.stream, header.check(1 << 14)), (stream, Ok(())));
        assert_eq!(Frame::parse(header, payload), Ok(frame));
    }
    let zero = Header::parse([0, 0, 4, 8, 0, 0, 0, 0, 1]);
    let fault = Fault::Stream(Violation::WindowIncrement);
    assert_eq!(Frame::parse(zero, &[0; 4]), Err(fault));
}
