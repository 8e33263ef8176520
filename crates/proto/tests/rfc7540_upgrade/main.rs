//! RFC 7540, section 3.2: from HTTP/1.1 to HTTP/2 by Upgrade, a test for each requirement. Wire input is fed whole,
//! octet by octet and at random splits.

mod client;
mod pair;
mod parties;
mod server;
