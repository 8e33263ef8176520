//! RFC 9113, section by section: a test for each requirement, named after it. Wire input is fed whole, octet by
//! octet and at random splits ([`wire::serve`] and its kin do that).

mod frames;
mod interleaving;
mod known_lines;
mod limits;
mod pair;
mod s10_5_toil;
mod s3_4_preface;
mod s4_frames;
mod s5_1_1_numbers;
mod s5_1_states;
mod s5_4_errors;
mod s5_5_extensions;
mod s6_1_data;
mod s6_1_padding;
mod s6_2_headers;
mod s6_5_3_agreement;
mod s6_5_settings;
mod s6_6_push_promise;
mod s6_7_ping;
mod s6_8_by_the_caller;
mod s6_8_goaway;
mod s6_9_1_ends;
mod s6_9_window;
mod s8_1_messages;
mod s8_2_fields;
mod s8_3_pseudo;
mod s8_4_push;
mod s8_4_push_limits;
mod s8_5_connect;
mod same_heads;
mod wire;
