//! Other vendors' proofs of a tool's call: Anthropic's calls have none, so it stands in a sealed thought of its own, which clients give
//! back as it is, and which says to which call it belongs. Like all proofs that are not Anthropic's it is marked where it is written.

use crate::hub::part::{Part, Reasoning};
use crate::hub::text::Str;

const CALL: &str = "call:";

/// The sealed thought that holds a call's proof.
pub(super) fn sealed(id: &str, signature: &Str<'_>) -> Reasoning<'static> {
    let sealed = format!("{CALL}{id}:{}", signature.raw());
    Reasoning { sealed: Some(Str::raw_of(&sealed).into_owned()), ..Reasoning::default() }
}

/// Gives the proofs in a turn's parts back to their calls.
pub(super) fn unseal(parts: &mut Vec<Part<'_>>) {
    let is_proof = |part: &Part<'_>| proof_of(part).is_some();
    while let Some(place) = parts.iter().position(is_proof) {
        let part = parts.remove(place);
        let Some((id, signature)) = proof_of(&part) else { return };
        let call = parts.iter_mut().find_map(|part| match part {
            Part::ToolCall(call) if call.id.as_ref().is_some_and(|own| own.raw() == id) => Some(call),
            _ => None,
        });
        if let Some(call) = call {
            call.signature = Some(Str::raw_of(signature).into_owned());
        }
    }
}

/// The call's id and its proof, where a part is one. Signatures are base64, but ids may have a colon.
fn proof_of<'p>(part: &'p Part<'_>) -> Option<(&'p str, &'p str)> {
    let Part::Reasoning(reasoning) = part else { return None };
    reasoning.sealed.as_ref()?.raw().strip_prefix(CALL)?.rsplit_once(':')
}
