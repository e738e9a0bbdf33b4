//! Proofs of thoughts in documents of a client whose own vendor did not make them: they are marked, so that they go back to where they came
//! from and never to that vendor, which would refuse them.

use super::text::Str;

/// What begins a proof that a client's own vendor did not make, and stands alone where there is no proof. No vendor's own begins so, and
/// nobody escapes any of it.
pub(crate) const MARK: &str = "tollgate:";

/// The proof, marked.
pub(crate) fn marked(proof: &Str<'_>) -> Str<'static> {
    Str::joined(&[MARK, proof.raw()])
}

/// The proof without its mark, if it has one. `None`: nothing is left.
pub(crate) fn unmarked(proof: Str<'_>) -> Option<Str<'_>> {
    let proof = proof.behind(MARK).unwrap_or(proof);
    (!proof.is_empty()).then_some(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_proof_comes_back() {
        for (proof, text) in [("EqQB/+==", "tollgate:EqQB/+=="), ("", "tollgate:"), (r"a\/b", r"tollgate:a\/b")] {
            let marked = marked(&Str::raw_of(proof));
            assert_eq!(marked.raw(), text);
            assert_eq!(unmarked(marked).map(|proof| proof.raw().to_owned()).unwrap_or_default(), proof);
        }
        assert_eq!(unmarked(Str::raw_of("EqQB")), Some(Str::raw_of("EqQB")));
        assert_eq!(unmarked(Str::raw_of("")), None);
    }
}
