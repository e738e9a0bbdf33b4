//! Other vendors' proofs of a tool's call: Anthropic's calls have none, so it stands in a sealed thought of its own, which clients give
//! back as it is, and which says to which call it belongs.

use std::collections::HashMap;

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
    let proofs: Vec<Part<'_>> = parts.extract_if(.., |part| proof_of(part).is_some()).collect();
    let mut signatures: HashMap<&str, &str> = proofs.iter().filter_map(proof_of).collect();
    for part in parts {
        let Part::ToolCall(call) = part else { continue };
        if let Some(signature) = call.id.as_ref().and_then(|id| signatures.remove(id.raw())) {
            call.signature = Some(Str::raw_of(signature).into_owned());
        }
    }
}

/// The call's id and its proof, where a part is one. Signatures are base64, but ids may have a colon.
fn proof_of<'p>(part: &'p Part<'_>) -> Option<(&'p str, &'p str)> {
    let Part::Reasoning(reasoning) = part else { return None };
    reasoning.sealed.as_ref()?.raw().strip_prefix(CALL)?.rsplit_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::part::{Arguments, Text, ToolCall};

    fn call(id: &str) -> Part<'_> {
        let arguments = Arguments::Text(Str::of("{}"));
        Part::ToolCall(ToolCall { id: Some(Str::of(id)), name: Str::of("f"), arguments, signature: None, cache: None })
    }

    fn proof(id: &str, signature: &str) -> Part<'static> {
        Part::Reasoning(sealed(id, &Str::of(signature)))
    }

    fn signatures(parts: &[Part<'_>]) -> Vec<Option<String>> {
        let signature = |part: &Part<'_>| match part {
            Part::ToolCall(call) => call.signature.as_ref().map(|signature| signature.raw().to_owned()),
            _ => None,
        };
        parts.iter().map(signature).collect()
    }

    #[test]
    fn a_proof_goes_back_to_its_call_and_nothing_else_moves() {
        let thought = Part::Reasoning(Reasoning { sealed: Some(Str::of("EmwK")), ..Reasoning::default() });
        let text = Part::Text(Text::plain(Str::of("x")));
        let mut parts = vec![
            thought.clone(),
            proof("a:1", "s1"),
            text.clone(),
            call("a:1"),
            call("b"),
            call("a:1"),
            proof("b", "old"),
            proof("b", "s2"),
            proof("gone", "s3"),
        ];
        unseal(&mut parts);
        assert_eq!(parts.get(..2), Some(&[thought, text][..]));
        assert_eq!(signatures(&parts), [None, None, Some("s1".to_owned()), Some("s2".to_owned()), None]);
    }

    /// One after the other it would take hours.
    #[test]
    fn many_proofs_go_back_in_one_pass() {
        let ids: Vec<String> = (0..200_000).map(|n| format!("call_{n}")).collect();
        let calls = ids.iter().map(|id| call(id));
        let mut parts: Vec<Part<'_>> = calls.chain(ids.iter().rev().map(|id| proof(id, id))).collect();
        unseal(&mut parts);
        let expected: Vec<_> = ids.iter().cloned().map(Some).collect();
        assert!(signatures(&parts) == expected);
    }
}
