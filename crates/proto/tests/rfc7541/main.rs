//! HPACK against RFC 7541: a file for a section, the examples of its appendix C, and the stories.
//!
//! A decoder takes whole blocks; how a session puts them together from frames is tested with the session.

mod block;

mod appendix_c;
mod notes;
mod properties;
mod s2_3_indexing;
mod s4_dynamic_table;
mod s5_1_integers;
mod s5_2_strings;
mod s6_representations;
mod s7_security;
mod stories;
