//! What turns of a conversation are made of.

use super::text::{Json, Str};

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Whoever runs the application: instructions, wherever they stand in the conversation.
    System,
    /// Whoever uses it. What tools gave back is said by it too.
    User,
    /// The model.
    Assistant,
}

/// One turn, in the order of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn<'a> {
    pub(crate) role: Role,
    /// The name of one of several participants of a role.
    pub(crate) name: Option<Str<'a>>,
    pub(crate) parts: Vec<Part<'a>>,
}

/// A part of a turn or of an answer, in the order in which they stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part<'a> {
    Text(Text<'a>),
    Media(Media<'a>),
    ToolCall(ToolCall<'a>),
    ToolResult(ToolResult<'a>),
    Reasoning(Reasoning<'a>),
    /// The model's words on why it does not answer.
    Refusal(Str<'a>),
    /// What only its own wire format knows: the name of its type there, and the whole part.
    Other {
        kind: Str<'a>,
        value: Json<'a>,
    },
}

/// A text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text<'a> {
    pub(crate) text: Str<'a>,
    pub(crate) citations: Vec<Citation<'a>>,
    pub(crate) cache: Option<CacheMark<'a>>,
    /// Gemini's proof that a thought led to it.
    pub(crate) signature: Option<Str<'a>>,
}

impl<'a> Text<'a> {
    /// A text and nothing else.
    pub(crate) fn plain(text: Str<'a>) -> Self {
        Self { text, ..Self::default() }
    }
}

/// What a text rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Citation<'a> {
    pub(crate) url: Option<Str<'a>>,
    pub(crate) title: Option<Str<'a>>,
    /// The words that are cited.
    pub(crate) quote: Option<Str<'a>>,
    /// Which characters of the text rest on it, from and up to; where the wire format says.
    pub(crate) range: Option<(u64, u64)>,
}

impl Citation<'_> {
    /// The same, owing nothing to the text that it was read from.
    pub(crate) fn into_owned(self) -> Citation<'static> {
        Citation {
            url: self.url.map(Str::into_owned),
            title: self.title.map(Str::into_owned),
            quote: self.quote.map(Str::into_owned),
            range: self.range,
        }
    }
}

/// A mark: the conversation up to here is to be kept in the vendor's cache.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CacheMark<'a> {
    /// For how long, as `5m` or `1h`; `None`: the vendor's default.
    pub(crate) ttl: Option<Str<'a>>,
}

/// An image, sound, film or document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Media<'a> {
    pub(crate) kind: MediaKind,
    pub(crate) source: MediaSource<'a>,
    /// How closely an image is to be looked at.
    pub(crate) detail: Option<Str<'a>>,
    /// A file's name, or a document's title.
    pub(crate) name: Option<Str<'a>>,
    pub(crate) cache: Option<CacheMark<'a>>,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Image,
    Audio,
    Video,
    /// A document: PDF, plain text and the like.
    File,
}

/// Where a medium is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MediaSource<'a> {
    /// Here, in base64; its MIME type as `image/png`.
    Inline { mime: Str<'a>, base64: Str<'a> },
    /// Here, as plain text.
    Plain(Str<'a>),
    /// At a URL. Its MIME type, where that is told.
    Url { url: Str<'a>, mime: Option<Str<'a>> },
    /// In the vendor's store of files.
    Id(Str<'a>),
}

impl<'a> MediaSource<'a> {
    /// Where a URL leads: a `data:` URL in base64 is the medium itself.
    pub(crate) fn at(url: Str<'a>) -> Self {
        match url.data_url() {
            Some((mime, base64)) => Self::Inline { mime, base64 },
            None => Self::Url { url, mime: None },
        }
    }
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolCall<'a> {
    /// What its result refers to. `None`: the wire format has no such id, and the result refers to the name.
    pub(crate) id: Option<Str<'a>>,
    pub(crate) name: Str<'a>,
    pub(crate) arguments: Arguments<'a>,
    /// The vendor's proof that it comes from the model's own thought, to be given back to it.
    pub(crate) signature: Option<Str<'a>>,
    pub(crate) cache: Option<CacheMark<'a>>,
}

/// A call's arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arguments<'a> {
    /// As a string that holds the text of a JSON value, or should; empty where there are none.
    Text(Str<'a>),
    /// As a value.
    Value(Json<'a>),
}

impl<'a> Arguments<'a> {
    /// The object that they are. `None`: the model wrote no JSON object.
    pub(crate) fn object(&self) -> Option<Json<'a>> {
        let value = match self {
            Self::Value(value) => value.clone(),
            Self::Text(text) if text.plain().trim_ascii().is_empty() => Json::read("{}"),
            Self::Text(text) => text.as_json()?,
        };
        value.is_object().then_some(value)
    }

    /// The string that holds their text.
    pub(crate) fn text(&self) -> Str<'_> {
        match self {
            Self::Text(text) => text.by_ref(),
            Self::Value(value) => value.as_text(),
        }
    }
}

/// What a tool gave back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolResult<'a> {
    /// The id of the call.
    pub(crate) id: Option<Str<'a>>,
    /// The tool's name, where the wire format repeats it.
    pub(crate) name: Option<Str<'a>>,
    pub(crate) content: ToolOutput<'a>,
    pub(crate) is_error: bool,
    pub(crate) cache: Option<CacheMark<'a>>,
}

/// What a tool gave back, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ToolOutput<'a> {
    /// Texts and media.
    Parts(Vec<Part<'a>>),
    /// A JSON value.
    Value(Json<'a>),
}

/// What the model thought.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reasoning<'a> {
    pub(crate) text: Str<'a>,
    /// Whether the text is a summary of it rather than the thought itself.
    pub(crate) is_summary: bool,
    /// The vendor's proof that it is the model's own, to be given back to it.
    pub(crate) signature: Option<Str<'a>>,
    /// The thought itself, sealed by the vendor, where it is not shown.
    pub(crate) sealed: Option<Str<'a>>,
    /// The id of the item that it is, where the wire format has one.
    pub(crate) id: Option<Str<'a>>,
}
