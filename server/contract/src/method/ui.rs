//! What extensions show and ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

data! {
    /// Text for the user.
    PrintParameters {
        /// The text.
        text: String,
    }

    /// A block of text for the user.
    BlockParameters {
        /// The text.
        text: String,
        /// Color of the border, where a client draws one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        border_color: Option<String>,
        /// A line below the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subtitle: Option<String>,
    }

    /// A message and the renderer that shows it.
    RenderMessageParameters {
        /// The renderer; where nobody registered it, the content is shown as it is.
        name: String,
        /// What is shown.
        content: String,
    }

    /// A widget, replaced by the next of its id.
    WidgetParameters {
        /// Its id, unique within the extension.
        id: String,
        /// Where it is: `above` or `below` the prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placement: Option<String>,
        /// What it shows.
        content: Content,
        /// How it looks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        style: Option<ContentStyle>,
        /// Lower ones come first, then the id decides.
        #[serde(default)]
        priority: i32,
    }

    /// What a widget, header or footer shows.
    Content {
        /// The text.
        #[serde(default)]
        text: String,
        /// Whether it is Markdown.
        #[serde(default)]
        markdown: bool,
        /// Whether the extension is asked for the text, by `invoke` of kind `render_widget`.
        #[serde(default)]
        render: bool,
        /// How often a rendered widget may be asked for, in Hz; clients draw on change instead.
        #[serde(default)]
        refresh_hz: u32,
    }

    /// How something looks, where a client has a choice.
    ContentStyle {
        /// Color of the border.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        border_color: Option<String>,
        /// Color of the background.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        background: Option<String>,
        /// Whether there is no border.
        #[serde(default)]
        no_border: bool,
    }

    /// Names a widget.
    IdParameters {
        /// The id.
        id: String,
    }

    /// A header or footer; there is one of each, and the last one set shows.
    BarParameters {
        /// What it shows.
        content: Content,
        /// How it looks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        style: Option<ContentStyle>,
    }

    /// An entry of the status line, replaced by the next of its key.
    StatusParameters {
        /// Its key.
        key: String,
        /// The text.
        text: String,
        /// Lower ones are further left; those of the client are at 100 to 110.
        #[serde(default)]
        priority: i32,
    }

    /// Names an entry of the status line.
    KeyParameters {
        /// The key.
        key: String,
    }

    /// A choice of one.
    PromptSelectParameters {
        /// The question.
        message: String,
        /// The choices.
        options: Vec<String>,
    }

    /// What was chosen.
    PromptSelectResult {
        /// The choice; empty when cancelled.
        value: String,
        /// Its place; -1 when cancelled.
        index: i64,
        /// Whether nobody chose.
        cancelled: bool,
    }

    /// A question with yes or no.
    PromptConfirmParameters {
        /// The question.
        message: String,
        /// The answer that is suggested.
        #[serde(default)]
        default_value: bool,
    }

    /// Yes or no.
    PromptConfirmResult {
        /// The answer; false when cancelled.
        value: bool,
        /// Whether nobody answered.
        cancelled: bool,
    }

    /// A question with a text as its answer.
    PromptInputParameters {
        /// The question.
        message: String,
        /// Shown while the answer is empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
        /// The answer that is suggested.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    }

    /// The text.
    PromptInputResult {
        /// The answer; empty when cancelled.
        value: String,
        /// Whether nobody answered.
        cancelled: bool,
    }

    /// A choice of any number.
    PromptMultiSelectParameters {
        /// The question.
        message: String,
        /// The choices.
        options: Vec<String>,
        /// Places of those that are suggested; all of them where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_selected: Option<Vec<u32>>,
    }

    /// What was chosen.
    PromptMultiSelectResult {
        /// The choices.
        values: Vec<String>,
        /// Their places.
        indices: Vec<u32>,
        /// Whether nobody chose.
        cancelled: bool,
    }

    /// A text to read, with buttons.
    OverlayParameters {
        /// The title.
        #[serde(default)]
        title: String,
        /// What it shows.
        content: Content,
        /// How it looks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        style: Option<ContentStyle>,
        /// Columns; 0 lets the client choose.
        #[serde(default)]
        width: u32,
        /// Lines; 0 lets the client choose.
        #[serde(default)]
        max_height: u32,
        /// `center`, `top-center` or `bottom-center`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        anchor: Option<String>,
        /// The buttons.
        #[serde(default)]
        actions: Vec<String>,
    }

    /// Which button closed an overlay.
    OverlayResult {
        /// The button; empty where there was none.
        action: String,
        /// Its place; -1 where there was none.
        index: i64,
        /// Whether it was dismissed although there were buttons.
        cancelled: bool,
    }

    /// The size of a terminal: always 0, as editors have none.
    TerminalSize {
        /// Columns.
        width: u32,
        /// Lines.
        height: u32,
    }

    /// Names a theme; editors have their own.
    ThemeParameters {
        /// The name.
        name: String,
    }

    /// Which parts of a terminal interface are hidden; without effect in editors.
    VisibilityParameters {
        /// The greeting.
        #[serde(default)]
        hide_startup_message: bool,
        /// The status bar.
        #[serde(default)]
        hide_status_bar: bool,
        /// The separator.
        #[serde(default)]
        hide_separator: bool,
        /// The hint below the prompt.
        #[serde(default)]
        hide_input_hint: bool,
    }
}
