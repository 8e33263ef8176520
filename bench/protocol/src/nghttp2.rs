//! What of libnghttp2 is measured: its header nghttp2.h says what each of these does. The library that its programs use
//! is linked, so that no other package is needed.

use bytes::Bytes;
use std::ffi::{c_int, c_void};
use std::ptr;

/// `nghttp2_nv`: a line, borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Line {
    name: *const u8,
    value: *const u8,
    name_len: usize,
    value_len: usize,
    flags: u8,
}

/// NGHTTP2_NV_FLAG_NONE: the line is copied where it must outlive a call.
const NO_FLAGS: u8 = 0;

/// NGHTTP2_HD_INFLATE_FINAL and NGHTTP2_HD_INFLATE_EMIT.
const FINAL: c_int = 1;
const EMIT: c_int = 2;

#[link(name = "libnghttp2.so.14", modifiers = "+verbatim")]
unsafe extern "C" {
    fn nghttp2_hd_deflate_new(deflater: *mut *mut Opaque, table: usize) -> c_int;
    fn nghttp2_hd_deflate_del(deflater: *mut Opaque);
    fn nghttp2_hd_deflate_hd(
        deflater: *mut Opaque,
        buffer: *mut u8,
        room: usize,
        lines: *const Line,
        count: usize,
    ) -> isize;
    fn nghttp2_hd_inflate_new(inflater: *mut *mut Opaque) -> c_int;
    fn nghttp2_hd_inflate_del(inflater: *mut Opaque);
    fn nghttp2_hd_inflate_hd2(
        inflater: *mut Opaque,
        line: *mut Line,
        flags: *mut c_int,
        input: *const u8,
        len: usize,
        last: c_int,
    ) -> isize;
    fn nghttp2_hd_inflate_end_headers(inflater: *mut Opaque) -> c_int;

    fn nghttp2_session_callbacks_new(callbacks: *mut *mut Opaque) -> c_int;
    fn nghttp2_session_callbacks_del(callbacks: *mut Opaque);
    fn nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks: *mut Opaque,
        callback: extern "C" fn(*mut Opaque, *const FrameHeader, *mut c_void) -> c_int,
    );
    fn nghttp2_session_server_new(
        session: *mut *mut Opaque,
        callbacks: *const Opaque,
        user: *mut c_void,
    ) -> c_int;
    fn nghttp2_session_del(session: *mut Opaque);
    fn nghttp2_submit_settings(
        session: *mut Opaque,
        flags: u8,
        entries: *const c_void,
        count: usize,
    ) -> c_int;
    fn nghttp2_submit_response(
        session: *mut Opaque,
        stream: i32,
        lines: *const Line,
        count: usize,
        body: *const Provider,
    ) -> c_int;
    fn nghttp2_session_mem_recv(session: *mut Opaque, input: *const u8, len: usize) -> isize;
    fn nghttp2_session_mem_send(session: *mut Opaque, output: *mut *const u8) -> isize;
}

/// `nghttp2_frame_hd`, with which every frame begins.
#[repr(C)]
struct FrameHeader {
    length: usize,
    stream: i32,
    kind: u8,
    flags: u8,
    reserved: u8,
}

/// NGHTTP2_HEADERS, and NGHTTP2_DATA_FLAG_EOF.
const HEADERS: u8 = 1;
const EOF: u32 = 1;

/// `nghttp2_data_provider`.
#[repr(C)]
struct Provider {
    source: *mut c_void,
    read: extern "C" fn(
        *mut Opaque,
        i32,
        *mut u8,
        usize,
        *mut u32,
        *mut *mut c_void,
        *mut c_void,
    ) -> isize,
}

#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

/// A line as libnghttp2 takes it; it must not outlive its octets.
pub(crate) fn line(name: &[u8], value: &[u8]) -> Line {
    Line {
        name: name.as_ptr(),
        value: value.as_ptr(),
        name_len: name.len(),
        value_len: value.len(),
        flags: NO_FLAGS,
    }
}

/// Its encoder.
pub(crate) struct Deflater(*mut Opaque);

impl Deflater {
    pub(crate) fn new(table: u32) -> Self {
        let mut deflater = ptr::null_mut();
        // SAFETY: it writes one pointer.
        let status = unsafe { nghttp2_hd_deflate_new(&mut deflater, table as usize) };
        assert_eq!(status, 0, "nghttp2_hd_deflate_new");
        Self(deflater)
    }

    /// One block, written over `out`, which has room for it.
    pub(crate) fn encode<'o>(&mut self, lines: &[Line], out: &'o mut Vec<u8>) -> &'o [u8] {
        out.clear();
        // SAFETY: the lines point to octets that outlive the call, as does the room of `out`.
        let written = unsafe {
            let room = out.capacity();
            let len = lines.len();
            nghttp2_hd_deflate_hd(self.0, out.as_mut_ptr(), room, lines.as_ptr(), len)
        };
        let written = usize::try_from(written).expect("nghttp2_hd_deflate_hd");
        // SAFETY: so many octets were written.
        unsafe { out.set_len(written) };
        out
    }
}

impl Drop for Deflater {
    fn drop(&mut self) {
        // SAFETY: it was made by nghttp2_hd_deflate_new, and nobody else has it.
        unsafe { nghttp2_hd_deflate_del(self.0) }
    }
}

/// Its decoder.
pub(crate) struct Inflater(*mut Opaque);

impl Inflater {
    pub(crate) fn new() -> Self {
        let mut inflater = ptr::null_mut();
        // SAFETY: it writes one pointer.
        let status = unsafe { nghttp2_hd_inflate_new(&mut inflater) };
        assert_eq!(status, 0, "nghttp2_hd_inflate_new");
        Self(inflater)
    }

    /// One whole block, line by line.
    pub(crate) fn decode(&mut self, mut block: &[u8], mut take: impl FnMut(&Line)) {
        loop {
            let mut line = self::line(&[], &[]);
            let mut flags = 0;
            let (octets, len) = (block.as_ptr(), block.len());
            // SAFETY: `block` is alive, and line and flags are ours.
            let read =
                unsafe { nghttp2_hd_inflate_hd2(self.0, &mut line, &mut flags, octets, len, 1) };
            let read = usize::try_from(read).expect("nghttp2_hd_inflate_hd2");
            block = &block[read..];
            if flags & EMIT != 0 {
                take(&line);
            }
            if flags & FINAL != 0 {
                break;
            }
        }
        // SAFETY: the block is complete.
        unsafe { nghttp2_hd_inflate_end_headers(self.0) };
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: it was made by nghttp2_hd_inflate_new, and nobody else has it.
        unsafe { nghttp2_hd_inflate_del(self.0) }
    }
}

/// Its session, as a server that answers every request alike as soon as its head has come.
pub(crate) struct Session {
    session: *mut Opaque,
    answer: Box<Answer>,
    out: Vec<u8>,
}

/// What its callbacks work with.
struct Answer {
    lines: Vec<Line>,
    body: Bytes,
    /// How much of the body has left: there is one at a time.
    sent: usize,
}

extern "C" fn on_frame(
    session: *mut Opaque,
    frame: *const FrameHeader,
    user: *mut c_void,
) -> c_int {
    // SAFETY: the frame is alive, and `user` is the answer that the session was made with, used by nobody else now.
    let (frame, answer) = unsafe { (&*frame, &mut *user.cast::<Answer>()) };
    if frame.kind != HEADERS {
        return 0;
    }
    answer.sent = 0;
    let provider = Provider {
        source: ptr::null_mut(),
        read: read_body,
    };
    let (lines, count) = (answer.lines.as_ptr(), answer.lines.len());
    // SAFETY: lines and provider are copied before it returns.
    unsafe { nghttp2_submit_response(session, frame.stream, lines, count, &provider) }
}

extern "C" fn read_body(
    _: *mut Opaque,
    _: i32,
    into: *mut u8,
    room: usize,
    flags: *mut u32,
    _: *mut *mut c_void,
    user: *mut c_void,
) -> isize {
    // SAFETY: `user` is the answer that the session was made with, used by nobody else now.
    let answer = unsafe { &mut *user.cast::<Answer>() };
    let rest = &answer.body[answer.sent..];
    let some = &rest[..rest.len().min(room)];
    // SAFETY: there is room for so many, and the flags are ours to set.
    unsafe {
        ptr::copy_nonoverlapping(some.as_ptr(), into, some.len());
        if some.len() == rest.len() {
            *flags |= EOF;
        }
    }
    answer.sent += some.len();
    some.len() as isize
}

impl Session {
    pub(crate) fn new(lines: &[(&'static str, &'static str)], body: Bytes) -> Self {
        let all = [(":status", "200")].iter().chain(lines);
        let mut answer = Box::new(Answer {
            lines: all
                .map(|(name, value)| line(name.as_bytes(), value.as_bytes()))
                .collect(),
            body,
            sent: 0,
        });
        let (mut callbacks, mut session) = (ptr::null_mut(), ptr::null_mut());
        let user: *mut Answer = &mut *answer;
        // SAFETY: they write a pointer each; the callbacks are copied into the session, and the answer outlives it.
        unsafe {
            assert_eq!(nghttp2_session_callbacks_new(&mut callbacks), 0);
            nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
            assert_eq!(
                nghttp2_session_server_new(&mut session, callbacks, user.cast()),
                0
            );
            nghttp2_session_callbacks_del(callbacks);
            assert_eq!(nghttp2_submit_settings(session, 0, ptr::null(), 0), 0);
        }
        Self {
            session,
            answer,
            out: Vec::with_capacity(256 << 10),
        }
    }

    /// Takes a turn of the client, and says how many octets leave; they are gathered for one write, as a server would.
    pub(crate) fn turn(&mut self, input: &[u8]) -> usize {
        // SAFETY: the input is alive, and so is the answer that the callbacks work with.
        let taken = unsafe { nghttp2_session_mem_recv(self.session, input.as_ptr(), input.len()) };
        assert_eq!(usize::try_from(taken), Ok(input.len()), "a good client");
        self.out.clear();
        loop {
            let mut octets = ptr::null();
            // SAFETY: as above; what it points to is alive until the next call.
            let some = unsafe {
                let len = nghttp2_session_mem_send(self.session, &mut octets);
                match usize::try_from(len).expect("nghttp2_session_mem_send") {
                    0 => break,
                    len => std::slice::from_raw_parts(octets, len),
                }
            };
            self.out.extend_from_slice(some);
        }
        assert_eq!(self.answer.sent, self.answer.body.len(), "all of the body");
        self.out.len()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: it was made by nghttp2_session_server_new, and nobody else has it.
        unsafe { nghttp2_session_del(self.session) }
    }
}
