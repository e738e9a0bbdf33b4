use super::*;
use Operation::{ChatCompletion, CountTokens, Embedding, Responses, TextCompletion};

fn provider(dialect: Dialect, operations: &[Operation]) -> Provider {
    Provider {
        name: "p".into(),
        vendor: dialect.as_str(),
        is_custom: true,
        order: 0,
        dialect,
        operations: operations.iter().copied().collect(),
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials: Vec::new(),
        keyless: true,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
        is_self_hosted: false,
    }
}

fn served(provider: &Provider, dialect: Dialect, operation: Operation) -> Option<Operation> {
    provider.served_as(dialect, operation, None, Compat::default())
}

const DIALECTS: [Dialect; 3] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini];

#[test]
fn what_a_provider_has_in_the_clients_dialect_is_served_as_it_is() {
    for dialect in DIALECTS {
        for operation in Operation::ALL {
            assert_eq!(served(&provider(dialect, Operation::ALL), dialect, *operation), Some(*operation), "{dialect}");
        }
    }
}

#[test]
fn conversations_of_any_dialect_are_served_as_chats() {
    for of in DIALECTS {
        for by in DIALECTS.into_iter().filter(|by| *by != of) {
            let provider = provider(by, Operation::ALL);
            for operation in [ChatCompletion, TextCompletion, Responses] {
                assert_eq!(served(&provider, of, operation), Some(ChatCompletion), "{of} {operation} by {by}");
            }
        }
    }
    let only_chat = provider(Dialect::OpenAi, &[ChatCompletion]);
    assert_eq!(served(&only_chat, Dialect::OpenAi, Responses), Some(ChatCompletion));
    assert_eq!(served(&only_chat, Dialect::OpenAi, TextCompletion), Some(ChatCompletion));
}

#[test]
fn a_provider_of_responses_alone_is_asked_for_them() {
    let only_responses = |dialect| provider(dialect, &[Responses]);
    for dialect in DIALECTS {
        assert_eq!(served(&only_responses(Dialect::OpenAi), dialect, ChatCompletion), Some(Responses));
    }
    assert_eq!(served(&only_responses(Dialect::Anthropic), Dialect::OpenAi, ChatCompletion), None, "it has none");
}

#[test]
fn what_has_a_translation_of_its_own_is_served_by_those_who_have_it() {
    for operation in [Embedding, CountTokens] {
        let gemini = provider(Dialect::Gemini, &[operation]);
        assert_eq!(served(&gemini, Dialect::OpenAi, operation), Some(operation), "{operation}");
        let without = provider(Dialect::Gemini, &[ChatCompletion]);
        assert_eq!(served(&without, Dialect::OpenAi, operation), None, "{operation}");
    }
    assert_eq!(served(&provider(Dialect::Anthropic, Operation::ALL), Dialect::OpenAi, Embedding), None);
    assert_eq!(served(&provider(Dialect::OpenAi, Operation::ALL), Dialect::Anthropic, Embedding), None);
}

#[test]
fn what_has_no_translation_is_served_in_the_same_dialect_alone() {
    let list = Operation::ListModels;
    assert_eq!(served(&provider(Dialect::Gemini, Operation::ALL), Dialect::OpenAi, list), None);
    assert_eq!(served(&provider(Dialect::OpenAi, &[Embedding]), Dialect::Anthropic, ChatCompletion), None);
    assert_eq!(served(&provider(Dialect::OpenAi, &[ChatCompletion]), Dialect::OpenAi, Embedding), None);
}

#[test]
fn the_operator_may_have_requests_converted_to_what_the_model_is_for() {
    let model = |mode: &str| Model { mode: mode.into(), ..Model::default() };
    let openai = provider(Dialect::OpenAi, Operation::ALL);
    let all = Compat { drops_params: false, text_to_chat: true, chat_to_responses: true };
    let cases = [
        (TextCompletion, "chat", Compat::default(), TextCompletion),
        (TextCompletion, "chat", all, ChatCompletion),
        (TextCompletion, "completion", all, TextCompletion),
        (ChatCompletion, "responses", Compat::default(), ChatCompletion),
        (ChatCompletion, "responses", all, Responses),
        (ChatCompletion, "chat", all, ChatCompletion),
    ];
    for (operation, mode, compat, expected) in cases {
        let served = openai.served_as(Dialect::OpenAi, operation, Some(&model(mode)), compat);
        assert_eq!(served, Some(expected), "{operation} {mode} {compat:?}");
    }
    let foreign = openai.served_as(Dialect::Anthropic, ChatCompletion, Some(&model("responses")), Compat::default());
    assert_eq!(foreign, Some(Responses), "translated it is in any case");
}
