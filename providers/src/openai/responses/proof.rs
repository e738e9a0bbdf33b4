//! Other vendors' proofs of reasoning in the Responses API: an item has one opaque text for them, `encrypted_content`, and clients give
//! it back as it is. It is marked and says what it is, so that it goes back to where it came from; OpenAI's own says nothing.

use crate::hub::stranger::MARK;
use crate::hub::text::Str;

const SIGNATURE: &str = "signature:";
const SEALED: &str = "sealed:";
const CALL: &str = "call:";

/// What an item's `encrypted_content` is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Proof<'a> {
    /// A signature of the reasoning that stands in the item.
    Signature(Str<'a>),
    /// The reasoning itself, sealed.
    Sealed(Str<'a>),
    /// A signature of the call that has this id.
    Call { id: Str<'a>, signature: Str<'a> },
    /// None: another vendor has shown its reasoning unsigned.
    Nothing,
    /// OpenAI's own, of use to nobody else.
    Own,
}

impl<'a> Proof<'a> {
    pub(super) fn read(encrypted: &Str<'_>) -> Self {
        let text = encrypted.plain();
        let Some(text) = text.strip_prefix(MARK) else { return Self::Own };
        let owned = |text: &str| Str::of(text).into_owned();
        if let Some(signature) = text.strip_prefix(SIGNATURE) {
            Self::Signature(owned(signature))
        } else if let Some(sealed) = text.strip_prefix(SEALED) {
            Self::Sealed(owned(sealed))
        } else if let Some((id, signature)) = text.strip_prefix(CALL).and_then(|call| call.rsplit_once(':')) {
            // Signatures are base64, but ids may have a colon.
            Self::Call { id: owned(id), signature: owned(signature) }
        } else {
            Self::Nothing
        }
    }

    /// What to write as `encrypted_content`. `None`: nothing.
    pub(super) fn write(&self) -> Option<Str<'static>> {
        Some(match self {
            Self::Signature(signature) => Str::joined(&[MARK, SIGNATURE, signature.raw()]),
            Self::Sealed(sealed) => Str::joined(&[MARK, SEALED, sealed.raw()]),
            Self::Call { id, signature } => Str::joined(&[MARK, CALL, id.raw(), ":", signature.raw()]),
            Self::Nothing => Str::joined(&[MARK]),
            Self::Own => return None,
        })
    }
}

/// What stands between a sealed thought and the id of its item; no base64 has it.
const OF: char = '~';

/// OpenAI's own sealed thought with the id of its item: the API wants both, and formats that know no such ids keep the one text.
pub(super) fn bound<'a>(sealed: Str<'a>, id: Option<&Str<'_>>) -> Str<'a> {
    let Some(id) = id else { return sealed };
    let mut bound = sealed;
    bound.push(&Str::raw_of("~"));
    bound.push(id);
    bound
}

/// The sealed thought and the id of its item. `None`: it is not OpenAI's.
pub(super) fn unbound<'s>(bound: &'s Str<'_>) -> Option<(Str<'s>, Str<'s>)> {
    let (sealed, id) = bound.raw().rsplit_once(OF)?;
    Some((Str::raw_of(sealed), Str::raw_of(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_comes_back_as_what_it_is() {
        for (proof, text) in [
            (Proof::Signature(Str::raw_of("Eq/+==")), "tollgate:signature:Eq/+=="),
            (Proof::Sealed(Str::raw_of("EmwK")), "tollgate:sealed:EmwK"),
            (
                Proof::Call { id: Str::raw_of("functions.f:0"), signature: Str::raw_of("CiQB") },
                "tollgate:call:functions.f:0:CiQB",
            ),
            (Proof::Nothing, "tollgate:"),
        ] {
            let written = proof.write().unwrap();
            assert_eq!((written.raw(), Proof::read(&written)), (text, proof));
        }
        assert_eq!(Proof::read(&Str::raw_of(r"tollgate:signature:a\/b")), Proof::Signature(Str::raw_of("a/b")));
        assert_eq!(Proof::read(&Str::raw_of("gAAAAABo")), Proof::Own);
        assert_eq!(Proof::Own.write(), None);
    }

    #[test]
    fn a_sealed_thought_keeps_the_id_of_its_item() {
        let bound = bound(Str::raw_of("gAAAA-_="), Some(&Str::raw_of("rs_1")));
        assert_eq!(unbound(&bound), Some((Str::raw_of("gAAAA-_="), Str::raw_of("rs_1"))));
        assert_eq!(unbound(&Str::raw_of("EmwKAhgB+/=")), None);
    }
}
