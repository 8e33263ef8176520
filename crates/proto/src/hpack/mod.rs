//! Field compression for HTTP/2: HPACK (RFC 7541), both directions.
//!
//! A field block is one list of lines, coded against two tables: 61 lines that everybody knows and a dynamic
//! table that both ends keep in step by the order of blocks alone. So every block of a connection must pass
//! through its [`Decoder`], also those of messages that nobody wants, and in order.
//!
//! ```text
//!   Field ──► Encoder ──► 1 0x82                 in a table: its index           (section 6.1)
//!             │     ▲     2 0x40 index value     literal, then entered           (section 6.2.1)
//!             ▼     │     3 0x00 index value     literal, not entered            (section 6.2.2)
//!       dynamic   static  4 0x10 index value     literal, never to be entered    (section 6.2.3)
//!             │     │     5 0x20 size            table size, at a block's start  (section 6.3)
//!             ▼     ▼              │
//!   Field ◄── Decoder ◄────────────┘
//! ```
//!
//! | module | what it answers |
//! |---|---|
//! | `encode`, `decode` | which representation a line gets; which line a representation means |
//! | `table` | what the static table holds; how a dynamic one keeps its entries and lets them go |
//! | `lookup` | whether a line, or its name, has an index |
//! | `huffman`, `integer` | how octets and numbers are written |
#![doc = include_str!("guide.md")]

mod decode;
mod encode;
mod huffman;
mod integer;
mod lookup;
mod table;

pub use decode::{DecodeError, Decoder};
pub use encode::{Encoder, Indexing};

/// The size of both dynamic tables of a connection until SETTINGS say otherwise (RFC 9113, section 6.5.2).
pub const INITIAL_TABLE_SIZE: u32 = 4096;
