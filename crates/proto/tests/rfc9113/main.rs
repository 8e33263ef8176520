//! RFC 9113, section by section: a test for each requirement, named after it. Wire input is fed whole, octet by
//! octet and at random splits.

mod pair;
