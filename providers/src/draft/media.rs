//! Inline documents and audio: of which kinds the bytes bound the tokens.

use super::Draft;

/// What the vendor is told an inline document or audio is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// A document of text: a token takes a byte at least.
    Text,
    /// Any other document. A PDF can show one page a thousand times, and an office document is compressed.
    Document,
    /// WAV or MP3, which take some bytes for each second.
    SteadyAudio,
    /// Any other audio: silence takes next to nothing in FLAC and Opus.
    Audio,
}

impl Media {
    /// A document or audio by its media type (RFC 2046).
    pub(crate) fn of(media_type: &str) -> Self {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        let class = name.split('/').next().unwrap_or_default();
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        if class.eq_ignore_ascii_case("audio") {
            let is_steady =
                is(&["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/mp3", "audio/mpeg"]);
            return if is_steady { Self::SteadyAudio } else { Self::Audio };
        }
        if class.eq_ignore_ascii_case("text") || is(&["application/json"]) { Self::Text } else { Self::Document }
    }
}

impl Draft<'_> {
    /// Notes an inline document or audio of so many bytes.
    pub(crate) fn media(&mut self, media: Media, size: u64) {
        let demand = &mut self.peek.demand;
        let bytes = match media {
            Media::Text | Media::Document => &mut demand.file_bytes,
            Media::SteadyAudio | Media::Audio => &mut demand.audio_bytes,
        };
        *bytes = bytes.saturating_add(size);
        demand.unseen |= matches!(media, Media::Document | Media::Audio);
    }
}
