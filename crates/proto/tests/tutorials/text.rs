//! What a reader copies from a tutorial, piece by piece, is the example of the same name.

use std::path::Path;

#[test]
fn the_pieces_of_the_tutorial_of_the_client_are_its_program() {
    check("tutorial-client.md", "h2_client.rs");
}

#[test]
fn the_pieces_of_the_tutorial_of_the_server_are_its_program() {
    check("tutorial-server.md", "h2_server.rs");
}

#[track_caller]
fn check(tutorial: &str, example: &str) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(package.join("../../docs").join(tutorial)).unwrap();
    let program = std::fs::read_to_string(package.join("examples").join(example)).unwrap();
    // The example's own first paragraph says where it comes from.
    let (own, program) = program.split_once("\n\n").unwrap();
    assert!(own.contains(tutorial));
    let pieces = pieces(&text);
    assert!(pieces.len() > 5);
    for (piece, at) in pieces.iter().zip(1..) {
        assert!(
            program.contains(piece),
            "piece {at} is not in {example}:\n{piece}"
        );
    }
    assert_eq!(
        pieces.join("\n"),
        program,
        "{example} has something else than the tutorial"
    );
}

/// The blocks of Rust in a text.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece: Option<String> = None;
    for line in text.lines() {
        match (&mut piece, line) {
            (None, "```rust") => piece = Some(String::new()),
            (Some(_), "```") => pieces.extend(piece.take()),
            (Some(piece), line) => {
                piece.push_str(line);
                piece.push('\n');
            }
            (None, _) => {}
        }
    }
    assert!(piece.is_none(), "a piece does not end");
    pieces
}
