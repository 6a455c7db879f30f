//! Reads the resources that a prompt mentions, all at once, as the message that follows the prompt. A resource that cannot
//! be had is named in it with the reason.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kit_protocol::{Part, TextPart};
use kit_tools::mcp::ResourceContent;
use kit_tools::media;

use super::pieces::{self, Block, unreadable};
use crate::contributions::Contributions;

/// How long a resource may take, whoever has it.
const LIMIT: Duration = Duration::from_secs(20);

/// Reads resources, by scheme and name.
pub(crate) async fn read(contributions: Arc<Contributions>, names: Vec<String>) -> Vec<Part> {
    let found = join_all(names.iter().map(|name| one(&contributions, name))).await;
    let mut block = Block::default();
    let mut shown = Vec::new();
    for (name, found) in names.iter().zip(found) {
        match found {
            Ok(ResourceContent { text, media }) => {
                block.add(pieces::resource(name, &text));
                shown.extend(media);
            }
            Err(why) => block.add(unreadable(name, &why)),
        }
    }
    let left_out = shown.len().saturating_sub(media::MOST);
    if left_out > 0 {
        shown.truncate(media::MOST);
        block.add(format!("[{left_out} more images and documents are left out]\n"));
    }
    let text = block.finish().map(|text| Part::Text(TextPart { text: text.trim_start().to_owned() }));
    text.into_iter().chain(shown.into_iter().map(Part::Image)).collect()
}

async fn one(contributions: &Contributions, name: &str) -> Result<ResourceContent, String> {
    let source =
        name.split_once(':').and_then(|(scheme, name)| Some((contributions.mentions(scheme)?, name)));
    let Some((source, name)) = source else { return Err("nobody has it any more".to_owned()) };
    match tokio::time::timeout(LIMIT, source.read(name.to_owned())).await {
        Ok(read) => read.map_err(|error| error.message),
        Err(_) => Err(format!("it did not come within {} s", LIMIT.as_secs())),
    }
}
