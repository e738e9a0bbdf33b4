//! Embeddings and counts of tokens, across dialects.

use serde_json::{Value, json};

use super::super::support::scene::{Reply, Scene, reply};

async fn posted(scene: &Scene, path: &str, body: &Value) -> Reply {
    let answer = reply(scene.post(path).body(body.to_string())).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

#[tokio::test]
async fn embeddings_are_made_by_vendors_of_the_other_dialect() {
    let scene = Scene::start().await;
    scene.let_fake("~strict");
    let asked = json!({"model": "gemini-embedding-001", "input": ["one", "two"], "encoding_format": "float"});
    let told = posted(&scene, "/v1/embeddings", &asked).await;
    let data = told.json()["data"].clone();
    assert_eq!(data.as_array().unwrap().len(), 2, "{data}");
    assert_eq!(data[1]["embedding"][0], 0.5, "{data}");
    assert_eq!(scene.entry().path, "/v1beta/models/gemini-embedding-001:batchEmbedContents");
    assert_eq!(told.header("x-tollgate-provider"), Some("gemini"));
    assert!(scene.logged(&told).await["tokens.input"].as_u64().unwrap() > 0);

    let asked = json!({"content": {"parts": [{"text": "one"}]}});
    let told = posted(&scene, "/v1beta/models/text-embedding-3-small:embedContent", &asked).await;
    assert_eq!(told.json()["embedding"]["values"][0], 0.5, "{}", told.text());
    assert_eq!(scene.entry().path, "/v1/embeddings");
    assert_eq!(scene.logged(&told).await["tokens.source"], "reported");
}

#[tokio::test]
async fn tokens_are_counted_by_the_models_own_vendor() {
    let scene = Scene::start().await;
    let asked = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "12345678"}]});
    for (model, path) in
        [("gpt-4o", "/v1/responses/input_tokens"), ("gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:countTokens")]
    {
        let told = posted(&scene, "/v1/messages/count_tokens", &asked(model)).await;
        assert!(told.json()["input_tokens"].as_u64().unwrap() > 0, "{}", told.text());
        assert_eq!(scene.entry().path, path);
    }
    let asked = json!({"contents": [{"role": "user", "parts": [{"text": "12345678"}]}]});
    let told = posted(&scene, "/v1beta/models/claude-sonnet-4-5:countTokens", &asked).await;
    assert!(told.json()["totalTokens"].as_u64().unwrap() > 0, "{}", told.text());
    assert_eq!(scene.entry().path, "/v1/messages/count_tokens");
}

#[tokio::test]
async fn a_model_list_of_a_dialect_has_what_is_translated_from_it() {
    let scene = Scene::start().await;
    let list = reply(scene.get("/v1beta/models")).await.json();
    let names: Vec<_> = list["models"].as_array().unwrap().iter().filter_map(|model| model["name"].as_str()).collect();
    for name in
        ["models/gemini-2.5-flash", "models/gpt-4o", "models/claude-sonnet-4-5", "models/text-embedding-3-small"]
    {
        assert!(names.contains(&name), "{name} is missing");
    }
    let list = reply(scene.get("/anthropic/v1/models")).await.json();
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert!(ids.contains(&"gpt-4o") && ids.contains(&"claude-sonnet-4-5"), "{ids:?}");
    assert!(!ids.contains(&"text-embedding-3-small"), "Anthropic's API has no embeddings");
}
