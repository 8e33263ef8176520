//! Whose fault it was: [`Violation`] names what the peer broke, [`UsageError`] what the caller did.
//!
//! `io::Error` does not occur in this crate: there is no IO.

use crate::session::StreamId;
use std::fmt;

/// Why a stream or a connection ended: the error codes of RFC 9113, section 7, as the neutral words of every
/// protocol. HTTP/1.x knows only whether a message was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// No error: a graceful end.
    NoError,
    /// The peer broke the protocol.
    Protocol,
    /// A fault of this side.
    Internal,
    /// Flow control was violated.
    FlowControl,
    /// SETTINGS were not acknowledged in time.
    SettingsTimeout,
    /// A frame came for a stream that is closed.
    StreamClosed,
    /// A frame had a wrong size.
    FrameSize,
    /// The stream was refused before any of it was processed: a retry is safe.
    Refused,
    /// The stream is no longer wanted.
    Cancel,
    /// The compression state is broken.
    Compression,
    /// The tunnel's far end was reset or could not be reached.
    Connect,
    /// The peer asks for too much.
    EnhanceYourCalm,
    /// The transport does not meet the security that is required.
    InadequateSecurity,
    /// HTTP/1.1 is required for this resource.
    Http11Required,
    /// Any other number.
    Raw(u32),
}

impl Code {
    /// The number in HTTP/2's registry (RFC 9113, section 7).
    ///
    /// ```
    /// use thalweg_proto::error::Code;
    /// assert_eq!(Code::Cancel.number(), 8);
    /// assert_eq!(Code::from_number(8), Code::Cancel);
    /// assert_eq!(Code::from_number(99), Code::Raw(99));
    /// ```
    pub fn number(self) -> u32 {
        match self {
            Code::NoError => 0,
            Code::Protocol => 1,
            Code::Internal => 2,
            Code::FlowControl => 3,
            Code::SettingsTimeout => 4,
            Code::StreamClosed => 5,
            Code::FrameSize => 6,
            Code::Refused => 7,
            Code::Cancel => 8,
            Code::Compression => 9,
            Code::Connect => 10,
            Code::EnhanceYourCalm => 11,
            Code::InadequateSecurity => 12,
            Code::Http11Required => 13,
            Code::Raw(number) => number,
        }
    }

    /// The code with this number in HTTP/2's registry.
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Code::NoError,
            1 => Code::Protocol,
            2 => Code::Internal,
            3 => Code::FlowControl,
            4 => Code::SettingsTimeout,
            5 => Code::StreamClosed,
            6 => Code::FrameSize,
            7 => Code::Refused,
            8 => Code::Cancel,
            9 => Code::Compression,
            10 => Code::Connect,
            11 => Code::EnhanceYourCalm,
            12 => Code::InadequateSecurity,
            13 => Code::Http11Required,
            other => Code::Raw(other),
        }
    }
}

macro_rules! violations {
    ($( $(#[doc = $doc:literal])+ $name:ident = $code:ident, $status:literal, $text:literal; )+) => {
        /// What the peer broke. Each variant names the section that it broke; [`Violation::code`] is what
        /// HTTP/2 tells the peer, [`Violation::status`] what HTTP/1.x answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Violation {
            $( $(#[doc = $doc])+ $name, )+
        }

        impl Violation {
            /// Every violation there is.
            pub const ALL: &[Violation] = &[ $( Violation::$name, )+ ];

            /// The error code that HTTP/2 sends for it.
            pub fn code(self) -> Code {
                match self { $( Violation::$name => Code::$code, )+ }
            }

            /// The status that an HTTP response gives for it, where one can still be sent.
            pub fn status(self) -> u16 {
                match self { $( Violation::$name => $status, )+ }
            }

            /// One line for the log and for the error page, without octets of the peer.
            pub fn text(self) -> &'static str {
                match self { $( Violation::$name => $text, )+ }
            }
        }
    };
}

violations! {
    /// Any protocol: the connection ended in the middle of a message (RFC 9112, section 8; RFC 9113, section 5.4).
    Truncated = Cancel, 400, "the message ended before it was complete";
    /// Any protocol: no complete head within [`Limits::head_time`](crate::limits::Limits::head_time).
    HeadTimeout = EnhanceYourCalm, 408, "the head of the request took too long";
    /// Any protocol: no stream open for [`Limits::idle_time`](crate::limits::Limits::idle_time).
    IdleTimeout = NoError, 408, "the connection was idle for too long";
    /// Any protocol: a body slower than [`Limits::body_rate`](crate::limits::Limits::body_rate).
    BodyTooSlow = EnhanceYourCalm, 408, "the body came too slowly";
    /// Any protocol: a head above [`Limits::head`](crate::limits::Limits::head) (RFC 6585, section 5).
    HeadTooLarge = EnhanceYourCalm, 431, "the head of the message is too large";
    /// Any protocol: more lines than [`Limits::fields`](crate::limits::Limits::fields) (RFC 6585, section 5).
    TooManyFields = EnhanceYourCalm, 431, "the message has too many fields";
    /// Any protocol: a target above [`Limits::target`](crate::limits::Limits::target) (RFC 9110, section 15.5.15).
    TargetTooLong = EnhanceYourCalm, 414, "the target of the request is too long";
    /// Any protocol: a name that is no token, or not in lower case over HTTP/2 (RFC 9110, section 5.1; RFC 9113, section 8.2.1).
    FieldName = Protocol, 400, "a field name has characters that are not allowed";
    /// Any protocol: CR, LF or NUL in a value, or white space around it (RFC 9110, section 5.5; RFC 9113, section 8.2.1).
    FieldValue = Protocol, 400, "a field value has characters that are not allowed";
    /// Any protocol: a content-length that is no number, or several that differ (RFC 9110, section 8.6).
    ContentLength = Protocol, 400, "the content-length is malformed or repeated";
    /// Any protocol: more or fewer octets of content than content-length says (RFC 9113, section 8.1.1).
    ContentLengthMismatch = Protocol, 400, "the content does not have the length that was announced";
    /// Any protocol: a target, scheme or authority that is malformed (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
    Target = Protocol, 400, "the target of the request is malformed";
    /// Any protocol: a request without an authority, or with several that differ (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
    Authority = Protocol, 400, "the request names no host, or more than one";
    /// Any protocol: a method that is no token (RFC 9110, section 9.1).
    Method = Protocol, 400, "the method is malformed";
    /// Any protocol: a status that is no three-digit number from 100 (RFC 9110, section 15).
    Status = Protocol, 502, "the status of the response is malformed";

    /// HTTP/1.x: a start line that is none (RFC 9112, section 3).
    StartLine = Protocol, 400, "the start line is malformed";
    /// HTTP/1.x: a version other than 1.0 and 1.1 (RFC 9110, section 2.5).
    Version = Protocol, 505, "the HTTP version is not supported";
    /// HTTP/1.x: a CR without LF, or LF without CR (RFC 9112, section 2.2).
    BareLineEnd = Protocol, 400, "a line does not end in CR LF";
    /// HTTP/1.x: a field line that begins with white space (RFC 9112, section 5.2).
    ObsFold = Protocol, 400, "a field is folded over several lines";
    /// HTTP/1.x: white space before the colon, or no colon (RFC 9112, section 5.1).
    FieldLine = Protocol, 400, "a field line is malformed";
    /// HTTP/1.x: both transfer-encoding and content-length (RFC 9112, section 6.3).
    LengthAndEncoding = Protocol, 400, "the message has both content-length and transfer-encoding";
    /// HTTP/1.x: a transfer coding other than chunked (RFC 9112, section 6.1).
    TransferEncoding = Protocol, 501, "the transfer-encoding is not supported";
    /// HTTP/1.x: a transfer-encoding that ends in no chunked, has it twice, or came in HTTP/1.0 (RFC 9112, sections
    /// 6.1 and 6.3); content in a CONNECT (RFC 9110, section 9.3.6).
    Framing = Protocol, 400, "it is ambiguous where the message ends";
    /// HTTP/1.x: a malformed chunk (RFC 9112, section 7.1).
    Chunk = Protocol, 400, "the chunked coding is malformed";
    /// HTTP/1.x: bytes before any request was sent, or after the last response (RFC 9112, section 9.2).
    UnexpectedOctets = Protocol, 400, "octets came that belong to no message";
    /// HTTP/1.x: an expectation other than 100-continue (RFC 9110, section 10.1.1).
    Expectation = Protocol, 417, "the expectation is not supported";

    /// HTTP/2: no connection preface, or no SETTINGS first (RFC 9113, section 3.4).
    Preface = Protocol, 400, "the connection preface is missing or malformed";
    /// HTTP/2: a payload above [`Limits::frame`](crate::limits::Limits::frame) or below a type's minimum (RFC 9113, section 4.2).
    FrameSize = FrameSize, 400, "a frame has a wrong size";
    /// HTTP/2: a field block that cannot be decoded (RFC 7541; RFC 9113, section 4.3).
    Compression = Compression, 400, "a field block cannot be decoded";
    /// HTTP/2: a frame between the frames of a field block (RFC 9113, section 4.3).
    BlockInterrupted = Protocol, 400, "a field block was interrupted by another frame";
    /// HTTP/2: CONTINUATION that continues nothing (RFC 9113, section 6.10).
    Continuation = Protocol, 400, "a CONTINUATION frame continues nothing";
    /// HTTP/2: more CONTINUATION frames than [`Limits::continuations`](crate::limits::Limits::continuations).
    TooManyContinuations = EnhanceYourCalm, 431, "a field block has too many CONTINUATION frames";
    /// HTTP/2: a frame on stream 0 that needs a stream, or on a stream that needs 0 (RFC 9113, section 6).
    FrameStream = Protocol, 400, "a frame came on the wrong stream";
    /// HTTP/2: a stream identifier that the peer may not open, or not any more (RFC 9113, section 5.1.1).
    StreamIdentifier = Protocol, 400, "a stream identifier is wrong";
    /// HTTP/2: a frame that the stream's state does not allow (RFC 9113, section 5.1).
    StreamState = Protocol, 400, "a frame came that the state of its stream does not allow";
    /// HTTP/2: a frame on a stream that is closed (RFC 9113, section 5.1).
    StreamClosed = StreamClosed, 400, "a frame came for a closed stream";
    /// HTTP/2: padding as long as the payload, or longer (RFC 9113, section 6.1).
    Padding = Protocol, 400, "a frame has more padding than payload";
    /// HTTP/2: a stream that depends on itself (RFC 7540, section 5.3.1).
    SelfDependency = Protocol, 400, "a stream depends on itself";
    /// HTTP/2: a PRIORITY_UPDATE from a server, for a stream that cannot be meant, or for more streams that do not
    /// exist yet than [`Limits::streams`](crate::limits::Limits::streams) allows (RFC 9218, section 7.1).
    PriorityUpdate = Protocol, 400, "a PRIORITY_UPDATE came where none is allowed";
    /// HTTP/2: a setting with a value out of range (RFC 9113, section 6.5.2).
    Setting = Protocol, 400, "a setting has a value out of range";
    /// HTTP/2: an initial window above 2^31-1 (RFC 9113, section 6.5.2).
    SettingWindow = FlowControl, 400, "the initial window is out of range";
    /// HTTP/2: SETTINGS not acknowledged in time (RFC 9113, section 6.5.3).
    SettingsTimeout = SettingsTimeout, 400, "the settings were not acknowledged in time";
    /// HTTP/2: PUSH_PROMISE where none is allowed (RFC 9113, section 8.4).
    PushPromise = Protocol, 400, "a PUSH_PROMISE came where none is allowed";
    /// HTTP/2: a promised request that is not safe and cacheable, or that has content (RFC 9113, section 8.4.1).
    PromisedRequest = Protocol, 400, "a request was promised that cannot be";
    /// HTTP/2: more promises that nothing has kept than [`Limits::promises`](crate::limits::Limits::promises).
    TooManyPromises = Refused, 400, "too many pushed responses are promised";
    /// HTTP/2: more octets than the window allows (RFC 9113, section 6.9).
    WindowOverrun = FlowControl, 400, "more data came than the window allows";
    /// HTTP/2: no credit for a body that waits for it, within
    /// [`Limits::write_time`](crate::limits::Limits::write_time) (RFC 9113, section 10.5).
    CreditTimeout = EnhanceYourCalm, 408, "no window was opened for a body in time";
    /// HTTP/2: a window above 2^31-1 (RFC 9113, section 6.9.1).
    WindowOverflow = FlowControl, 400, "a window was made larger than is allowed";
    /// HTTP/2: a WINDOW_UPDATE of nothing (RFC 9113, section 6.9).
    WindowIncrement = Protocol, 400, "a WINDOW_UPDATE of 0 came";
    /// HTTP/2: pseudo fields missing, repeated, unknown, after others, or in trailers (RFC 9113, section 8.3).
    PseudoField = Protocol, 400, "the pseudo fields are malformed";
    /// HTTP/2: a field of HTTP/1.1's connection management (RFC 9113, section 8.2.2).
    ConnectionField = Protocol, 400, "a field is not allowed over HTTP/2";
    /// HTTP/2: more streams than [`Limits::streams`](crate::limits::Limits::streams) (RFC 9113, section 5.1.2).
    TooManyStreams = Refused, 503, "too many streams are open";
    /// HTTP/2: more resets than [`Limits::resets`](crate::limits::Limits::resets).
    TooManyResets = EnhanceYourCalm, 400, "too many streams were reset";
    /// HTTP/2: more worthless frames than [`Limits::glitches`](crate::limits::Limits::glitches).
    TooManyGlitches = EnhanceYourCalm, 400, "too many frames served no purpose";
    /// HTTP/2: more answers wait than [`Limits::acknowledgements`](crate::limits::Limits::acknowledgements).
    TooManyAcknowledgements = EnhanceYourCalm, 400, "answers are asked for faster than they are read";
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The peer broke the protocol for the whole connection. The session still has last words to send (a GOAWAY, a
/// 400): send until it is idle, then close as [`Wants::end`](crate::session::Wants::end) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionError {
    /// What was broken.
    pub why: Violation,
    /// The code that the peer is told: [`Violation::code`] unless the section asks for another one.
    pub code: Code,
    /// The stream that it happened on, where there is one.
    pub at: Option<StreamId>,
}

impl ConnectionError {
    /// An error with the violation's own code.
    pub fn new(why: Violation) -> Self {
        Self {
            why,
            code: why.code(),
            at: None,
        }
    }

    /// The same error, told with another code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// The same error, found on a stream.
    #[must_use]
    pub fn on(mut self, at: StreamId) -> Self {
        self.at = Some(at);
        self
    }
}

impl From<Violation> for ConnectionError {
    fn from(why: Violation) -> Self {
        Self::new(why)
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(id) => write!(f, "stream {id}: {}", self.why),
            None => self.why.fmt(f),
        }
    }
}

impl std::error::Error for ConnectionError {}

/// The caller broke the contract. Nothing was sent and nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsageError {
    /// A server cannot open requests, a client cannot respond.
    WrongRole,
    /// No such stream is open (it may have ended in the meantime).
    NoSuchStream,
    /// The peer allows no further stream now; see [`Streams::capacity`](crate::session::Streams::capacity).
    NoCapacity,
    /// The connection is closing: no new stream.
    ShuttingDown,
    /// A head where the stream's state allows none: a second final response, a 1xx after it.
    HeadNotExpected,
    /// A window beyond [`Limits::largest_window`](crate::limits::Limits::largest_window).
    WindowTooLarge,
    /// A body where none was asked for.
    NotAsked,
    /// More octets than were asked for.
    TooMuch,
    /// More or fewer octets than the head's content-length announces.
    LengthMismatch,
    /// A field or control datum that must not be sent: CR, LF, NUL, no token, or a field of the connection.
    BadField,
    /// The message lacks what the protocol needs (a path, an authority).
    Incomplete,
    /// A 101 without an upgrade that was asked for, or over HTTP/2.
    NoUpgrade,
    /// A CONNECT for a protocol where the server has not said that it takes such (RFC 8441, section 3).
    NoConnectProtocol,
    /// The protocol, or the client, takes no pushed responses.
    NoPush,
    /// A promised request that is not safe and cacheable (GET, HEAD), or that has content.
    NotPushable,
    /// A stream that depends on itself, a weight that is not 1 to 256.
    Dependency,
    /// The priorities of RFC 7540 are not in use ([`Config::rfc7540_priorities`](crate::h2::Config::rfc7540_priorities)).
    NoTree,
    /// A frame that is larger than the peer takes.
    TooLarge,
    /// A frame of a type that only the session itself sends.
    Reserved,
    /// A setting whose value is out of range, that is the other side's, or that may not change any more.
    BadSetting,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UsageError::WrongRole => "only a client sends requests and only a server responses",
            UsageError::NoSuchStream => "no such stream is open",
            UsageError::NoCapacity => "the peer allows no further stream now",
            UsageError::ShuttingDown => "the connection is closing and takes no new stream",
            UsageError::HeadNotExpected => "the stream does not expect a head now",
            UsageError::WindowTooLarge => "the window would be larger than the limits allow",
            UsageError::NotAsked => "the stream did not ask for a body now",
            UsageError::TooMuch => "more octets were supplied than were asked for",
            UsageError::LengthMismatch => {
                "the body does not have the length that its head announces"
            }
            UsageError::BadField => "a field cannot be sent over this protocol",
            UsageError::Incomplete => "the head lacks what the protocol needs",
            UsageError::NoUpgrade => "there is no upgrade to agree to",
            UsageError::NoConnectProtocol => "the server takes no CONNECT for a protocol",
            UsageError::NoPush => "no pushed responses are taken",
            UsageError::NotPushable => "only GET and HEAD without content can be promised",
            UsageError::Dependency => "a stream cannot depend on itself, and weights are 1 to 256",
            UsageError::NoTree => "the priorities of RFC 7540 are not in use",
            UsageError::TooLarge => "the frame is larger than the peer takes",
            UsageError::Reserved => "frames of this type are the session's own",
            UsageError::BadSetting => "the setting cannot have this value",
        })
    }
}

impl std::error::Error for UsageError {}
