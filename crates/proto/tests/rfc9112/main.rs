//! HTTP/1.1 as RFC 9112 requires it: a file for a section, a test for a requirement. Whatever comes over the wire
//! comes whole, octet by octet and cut at random, and has to come to the same each time.

mod one_step;
mod parties;
mod s2_messages;
mod s3_request_line;
mod s4_status_line;
mod s5_fields;
mod s6_length;
mod s7_chunked;
mod s8_incomplete;
mod s9_connections;
mod smuggling;
mod time;
mod tunnels;
