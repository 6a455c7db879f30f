use super::*;

fn find(provider: &str, name: &str) -> Option<Entry> {
    Catalogue::default().find(provider, name)
}

#[test]
fn every_line_of_the_table_is_a_provider_a_model_an_alias_or_a_comment() {
    let mut routes = 0;
    let mut models = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('>') {
            let columns: Vec<&str> = header.split('\t').collect();
            routes = columns.len().saturating_sub(3);
            let sound =
                |route: &str| route.split_once(' ').is_some_and(|(_, address)| address.starts_with("http"));
            assert!(columns.iter().skip(3).copied().all(sound), "{line}");
            assert!(routes > 0 || providers::find(columns[0]).is_some(), "{line}");
        } else if !line.contains(" = ") || line.contains('\t') {
            models += 1;
            let sound = Entry::parse(line).is_some_and(|entry| {
                let columns = line.split('\t').skip(5).filter(|column| !column.is_empty()).count();
                let flags = line.split('\t').nth(4).unwrap();
                let tiers = entry.prices.iter().flat_map(|prices| &prices.tiers).count();
                (entry.max_output <= entry.context_window || entry.context_window == 0)
                    && flags.chars().all(|flag| "-iradnmlef123456789".contains(flag))
                    && (columns == 0) == entry.prices.is_none()
                    && tiers == line.split('\t').nth(9).map_or(0, |tiers| tiers.split(';').count())
                    && (entry.route == 0 || entry.route < routes)
            });
            assert!(sound, "{line}");
        }
    }
    assert!(models > 4000, "{models} models");
}

#[test]
fn every_alias_names_a_model() {
    let aliases = include_str!("../../data/aliases.tsv").lines().filter(|line| !line.starts_with('#'));
    for (provider, alias) in aliases.filter_map(|line| line.split_once('\t')) {
        let (alias, id) = alias.split_once(" = ").unwrap();
        // A provider may give the name to a model of its own.
        let found = find(provider, alias).map(|entry| entry.id);
        assert!(found.as_deref() == Some(id) || found.as_deref() == Some(alias), "{alias}: {found:?}");
    }
}

#[test]
fn reads_every_column() {
    let expected = Entry {
        id: "claude-haiku-5-5".into(),
        name: "Claude Haiku 5.5".into(),
        context_window: 1_000_000,
        max_output: 128_000,
        abilities: Abilities {
            images: true,
            reasoning: true,
            adaptive: true,
            always_reasons: false,
            effort_none: false,
            effort_minimal: false,
            no_low: false,
            no_medium: false,
            fixed_sampling: true,
            known: true,
        },
        prices: Some(Prices {
            base: Price {
                input: 100_000,
                output: 500_000,
                cache_read: Some(10_000),
                cache_write: Some(125_000),
            },
            tiers: vec![Tier {
                above: 100_000,
                price: Price {
                    input: 500_000,
                    output: 2_500_000,
                    cache_read: Some(50_000),
                    cache_write: Some(625_000),
                },
            }],
        }),
        note: None,
        route: 0,
    };
    assert_eq!(find("anthropic", "claude-haiku-latest"), Some(expected));
    assert_eq!(find("anthropic", "claude-none"), None);
    assert_eq!(find("nobody", "claude-haiku-5-5"), None);
    assert!(find("gemini", "gemini-3.8-flash").is_some());
}

#[test]
fn suggests_names_that_are_close() {
    let suggestions = |provider, name| Catalogue::default().suggestions(provider, name);
    assert_eq!(suggestions("openai", "gpt-5.4-min").first().map(String::as_str), Some("gpt-5.4-mini"));
    assert_eq!(suggestions("anthropic", "sonnet").len(), 5);
    assert_eq!(suggestions("anthropic", "llama3"), [""; 0]);
}

#[test]
fn edit_distance_counts_single_changes() {
    assert_eq!(edit_distance("kitten", "sitting"), 3);
    assert_eq!(edit_distance("", "abc"), 3);
    assert_eq!(edit_distance("same", "same"), 0);
}

#[test]
fn providers_of_the_table_are_reached_as_their_models_need() {
    let reached = |provider: &str, model: &str| {
        let provider = Catalogue::default().provider(provider, model).unwrap();
        (provider.wire, provider.base_url.into_owned(), provider.key_variables.into_owned())
    };
    let thinking = Quirks { effort: Effort::Thinking, returns_reasoning: true, ..Quirks::COMMON };
    assert_eq!(
        reached("deepseek", "deepseek-v4-pro"),
        (Wire::ChatCompletions(thinking), "https://api.deepseek.com".into(), vec!["DEEPSEEK_API_KEY"])
    );
    let mistral =
        Quirks { short_ids: true, asks_usage: false, result_media: ResultMedia::Inside, ..Quirks::COMMON };
    assert_eq!(reached("mistral", "devstral-2512").0, Wire::ChatCompletions(mistral));
    assert_eq!(reached("xai", "grok-4.7").0, Wire::Responses);
    let wires =
        ["claude-opus-5-5", "gemini-3.8-flash", "gpt-6-sol"].map(|model| reached("opencode", model).0);
    assert_eq!(wires, [Wire::Messages, Wire::Gemini, Wire::Responses]);
    assert!(Catalogue::default().provider("nobody", "m").is_none());
    assert!(Catalogue::default().provider("anthropic", "m").is_none());
}

#[test]
fn the_file_of_the_user_wins_except_for_abilities() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("models.json");
    let json = serde_json::json!({
        "anthropic": {"id": "anthropic", "models": {
            "claude-haiku-5-5": {"name": "Haiku, new", "tool_call": true, "limit": {"context": 2_000_000, "output": 5},
                "cost": {"input": 1, "output": 2.5, "cache_read": 0.1,
                    "tiers": [{"input": 2, "output": 5, "tier": {"size": 1000}}]}},
            "claude-9": {"name": "Nine", "tool_call": true, "reasoning": true, "modalities": {"input": ["text", "image"]}},
            "claude-mute": {"name": "Mute", "tool_call": false},
        }},
    });
    std::fs::write(&file, json.to_string()).unwrap();
    let catalogue = Catalogue::with_file(file.clone());
    let haiku = catalogue.find("anthropic", "claude-haiku-latest").unwrap();
    assert_eq!(
        (haiku.name.as_str(), haiku.context_window, haiku.abilities.adaptive),
        ("Haiku, new", 2_000_000, true)
    );
    let price = |input, output, cache_read| Price { input, output, cache_read, cache_write: None };
    let prices = Prices {
        base: price(1_000_000, 2_500_000, Some(100_000)),
        tiers: vec![Tier { above: 1000, price: price(2_000_000, 5_000_000, None) }],
    };
    assert_eq!(haiku.prices, Some(prices));
    let nine = catalogue.find("anthropic", "claude-9").unwrap();
    assert_eq!((nine.abilities.images, nine.abilities.reasoning, nine.prices), (true, true, None));
    let before = Catalogue::default().entries("anthropic").len();
    let entries = catalogue.entries("anthropic");
    assert_eq!(
        (entries.len(), entries.last().map(|entry| entry.id.as_str())),
        (before + 1, Some("claude-9"))
    );
    std::fs::write(&file, "not JSON").unwrap();
    let broken = Catalogue::with_file(file);
    assert_eq!(broken.find("anthropic", "claude-haiku-5-5"), find("anthropic", "claude-haiku-5-5"));
}
