//! A language model of half a megabyte with random weights, as a file that llama.cpp serves.
//!
//! It says nothing of use, but what serves it is a real server: real token counts, a real cache, a real end of the context,
//! and a grammar that forces valid tool calls. The same seed makes the same file. The first value of every embedding is
//! one and stays so through all layers, so the first column of the output matrix is a bias for each token: control and byte
//! tokens never come, the end of the answer does after a while.

use std::io::Write as _;
use std::path::Path;

const EMBEDDING: usize = 64;
const LAYERS: usize = 2;
const HEADS: u32 = 4;
const INNER: usize = 128;
const CONTEXT: u32 = 32_768;
const ALIGNMENT: usize = 32;
/// The token that ends an answer.
const END: usize = 4;
const NEVER: f32 = -60.0;
const WORDS: &str = "the a file edit read write code line test path text name fn let mut use pub struct impl self main src rs py ok done run";
const TEMPLATE: &str = "{%- if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{%- if m.tool_calls %}{%- for t in m.tool_calls %}<tool_call>{\"name\": \"{{ t.function.name }}\", \"arguments\": {{ t.function.arguments | tojson }}}</tool_call>{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// What a token is, by the numbers of the format.
#[derive(Clone, Copy)]
enum Kind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Byte = 6,
}

/// What the model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It says words that mean nothing.
    Talks,
    /// It begins every answer with a tool call, whose arguments the server's grammar makes valid.
    Calls,
}

/// Writes the model of this seed.
pub(crate) fn write(path: &Path, seed: u64, habit: Habit) -> std::io::Result<()> {
    let tokens = tokens();
    let tensors = tensors(&tokens, habit, &mut Random(seed));
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend(length(tensors.len()));
    let (count, described) = description(&tokens);
    file.extend(length(count));
    file.extend(described);
    let mut offset = 0;
    for Tensor { name, sizes, values } in &tensors {
        text(&mut file, name);
        file.extend(u32::try_from(sizes.len()).unwrap().to_le_bytes());
        sizes.iter().for_each(|size| file.extend(length(*size)));
        file.extend(0_u32.to_le_bytes());
        file.extend(length(offset));
        offset += (values.len() * 4).next_multiple_of(ALIGNMENT);
    }
    for Tensor { values, .. } in &tensors {
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        values.iter().for_each(|value| file.extend(value.to_le_bytes()));
    }
    std::fs::File::create(path)?.write_all(&file)
}

fn tokens() -> Vec<(String, f32, Kind)> {
    let mut tokens: Vec<(String, f32, Kind)> = [
        ("<unk>", Kind::Unknown),
        ("<s>", Kind::Control),
        ("</s>", Kind::Control),
        ("<|im_start|>", Kind::UserDefined),
        ("<|im_end|>", Kind::Control),
    ]
    .map(|(text, kind)| (text.to_owned(), 0.0, kind))
    .into();
    tokens.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), 0.0, Kind::Byte)));
    for text in ["<tool_call>", "</tool_call>"] {
        tokens.push((text.to_owned(), 0.0, Kind::UserDefined));
    }
    let letters = (' '..='~').map(|letter| letter.to_string().replace(' ', "\u{2581}"));
    let words = WORDS.split(' ').flat_map(|word| [format!("\u{2581}{word}"), word.to_owned()]);
    let mut score = 0.0;
    for word in letters.chain(words) {
        score -= 1.0;
        if !tokens.iter().any(|(known, ..)| *known == word) {
            tokens.push((word, score, Kind::Normal));
        }
    }
    tokens
}

/// How many entries describe the model, and the entries.
fn description(tokens: &[(String, f32, Kind)]) -> (usize, Vec<u8>) {
    let mut out = Vec::new();
    let mut count = 0;
    let mut entry = |name: &str, kind: u32, value: &[u8]| {
        text(&mut out, name);
        out.extend(kind.to_le_bytes());
        out.extend(value);
        count += 1;
    };
    let string = |value: &str| {
        let mut bytes = Vec::new();
        text(&mut bytes, value);
        bytes
    };
    let list = |kind: u32, values: Vec<u8>| {
        [kind.to_le_bytes().to_vec(), length(tokens.len()).to_vec(), values].concat()
    };
    for (name, value) in [
        ("general.architecture", "llama"),
        ("general.name", "tiny-random"),
        ("tokenizer.ggml.model", "llama"),
        ("tokenizer.ggml.pre", "default"),
        ("tokenizer.chat_template", TEMPLATE),
    ] {
        entry(name, 8, &string(value));
    }
    let number = |value: usize| u32::try_from(value).unwrap();
    for (name, value) in [
        ("general.file_type", 0),
        ("llama.context_length", CONTEXT),
        ("llama.embedding_length", number(EMBEDDING)),
        ("llama.block_count", number(LAYERS)),
        ("llama.feed_forward_length", number(INNER)),
        ("llama.attention.head_count", HEADS),
        ("llama.attention.head_count_kv", HEADS),
        ("llama.rope.dimension_count", number(EMBEDDING) / HEADS),
        ("llama.vocab_size", number(tokens.len())),
        ("tokenizer.ggml.bos_token_id", 1),
        ("tokenizer.ggml.eos_token_id", number(END)),
        ("tokenizer.ggml.unknown_token_id", 0),
    ] {
        entry(name, 4, &value.to_le_bytes());
    }
    entry("llama.attention.layer_norm_rms_epsilon", 6, &1e-5_f32.to_le_bytes());
    for (name, value) in [
        ("tokenizer.ggml.add_bos_token", 1),
        ("tokenizer.ggml.add_eos_token", 0),
        ("tokenizer.ggml.add_space_prefix", 0),
    ] {
        entry(name, 7, &[value]);
    }
    let texts = tokens.iter().flat_map(|(token, ..)| string(token)).collect();
    entry("tokenizer.ggml.tokens", 9, &list(8, texts));
    let scores = tokens.iter().flat_map(|(_, score, _)| score.to_le_bytes()).collect();
    entry("tokenizer.ggml.scores", 9, &list(6, scores));
    let kinds = tokens.iter().flat_map(|(.., kind)| (*kind as i32).to_le_bytes()).collect();
    entry("tokenizer.ggml.token_type", 9, &list(5, kinds));
    (count, out)
}

struct Tensor {
    name: String,
    /// The inner size first.
    sizes: Vec<usize>,
    values: Vec<f32>,
}

fn tensors(tokens: &[(String, f32, Kind)], habit: Habit, random: &mut Random) -> Vec<Tensor> {
    let tensor =
        |name: String, sizes: &[usize], values: Vec<f32>| Tensor { name, sizes: sizes.to_vec(), values };
    let ones = |name: String| tensor(name, &[EMBEDDING], vec![1.0; EMBEDDING]);
    let mut embeddings = random.values(EMBEDDING * tokens.len(), 0.5);
    embeddings.iter_mut().step_by(EMBEDDING).for_each(|carrier| *carrier = 1.0);
    let mut output = random.values(EMBEDDING * tokens.len(), 0.35);
    let biases = output.iter_mut().step_by(EMBEDDING).zip(tokens).enumerate();
    for (index, (bias, (text, _, kind))) in biases {
        *bias = match kind {
            _ if index == END => 0.6,
            _ if habit == Habit::Calls && text == "<tool_call>" => 20.0,
            Kind::Normal => 0.5,
            Kind::Unknown | Kind::Control | Kind::UserDefined | Kind::Byte => NEVER,
        };
    }
    let vocabulary = [EMBEDDING, tokens.len()];
    let mut tensors = vec![
        tensor("token_embd.weight".to_owned(), &vocabulary, embeddings),
        ones("output_norm.weight".to_owned()),
        tensor("output.weight".to_owned(), &vocabulary, output),
    ];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        // The first row writes the carrier, which must not change.
        let shapes = [
            ("attn_q", [EMBEDDING, EMBEDDING], false),
            ("attn_k", [EMBEDDING, EMBEDDING], false),
            ("attn_v", [EMBEDDING, EMBEDDING], false),
            ("attn_output", [EMBEDDING, EMBEDDING], true),
            ("ffn_gate", [EMBEDDING, INNER], false),
            ("ffn_up", [EMBEDDING, INNER], false),
            ("ffn_down", [INNER, EMBEDDING], true),
        ];
        for (part, sizes, keeps_carrier) in shapes {
            let mut values = random.values(sizes[0] * sizes[1], 0.08);
            if keeps_carrier {
                values[..sizes[0]].fill(0.0);
            }
            tensors.push(tensor(name(part), &sizes, values));
        }
        tensors.push(ones(name("attn_norm")));
        tensors.push(ones(name("ffn_norm")));
    }
    tensors
}

fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap().to_le_bytes()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(length(text.len()));
    out.extend(text.as_bytes());
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    /// A value from 0 to 1.
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bits = u16::try_from((mixed ^ (mixed >> 31)) >> 48).unwrap();
        f32::from(bits) / f32::from(u16::MAX)
    }

    /// Values around zero with this spread; the sum of twelve uniform ones is close enough to a bell curve.
    fn values(&mut self, count: usize, spread: f32) -> Vec<f32> {
        (0..count).map(|_| ((0..12).map(|_| self.uniform()).sum::<f32>() - 6.0) * spread).collect()
    }
}
