// @ts-check
// Permission gate: dangerous shell commands run only after the user said yes, each time or for the session.
//
// It stands in front of the rules of Kit itself: those decide what may run at all, this asks about what destroys.

export const description = "Asks before a shell command destroys something";

/** @type {[RegExp, string][]} */
const DANGEROUS = [
  [/\brm\s+(?:-\w*[rf]\w*\s+)+/, "removes files without asking"],
  [/\bgit\s+push\b[^;|&]*\s(?:--force(?!-with-lease)|-f)\b/, "overwrites the history of a remote"],
  [/\bgit\s+(?:reset\s+--hard|clean\s+-\w*f|checkout\s+--\s|restore\s)/, "throws away changes that are not committed"],
  [/\b(?:mkfs|dd\s+[^|;]*of=\/dev\/|shutdown|reboot)\b/, "changes the machine"],
  [/\bchmod\s+-R\s+777\b/, "opens files to everybody"],
  [/\b(?:curl|wget)\b[^|;]*\|\s*(?:sudo\s+)?(?:ba|z)?sh\b/, "runs a program from the network"],
  [/\bdrop\s+(?:table|database)\b/i, "drops a table or database"],
  [/\bsudo\b/, "runs as root"],
];

const [ONCE, SESSION, NO] = ["Run it once", "Run commands like this in this session", "Do not run it"];

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  // A gate that breaks stays shut.
  kit.onToolCall(async (event, ctx) => {
    if (event.toolName !== "bash") return;
    const command = String(/** @type {any} */ (event.parsedArgs)?.command ?? event.input);
    const found = DANGEROUS.find(([pattern]) => pattern.test(command));
    if (!found) return;
    const [pattern, why] = found;
    const key = `allowed:${pattern.source}`;
    if (ctx.getState(key)) return;
    if (!ctx.interactive) return { block: true, reason: `nobody can be asked, and the command ${why}` };
    const answer = await ctx.promptSelect({ message: `This command ${why}:\n${command}`, options: [ONCE, SESSION, NO] });
    if (answer.cancelled || answer.value === NO) return { block: true, reason: `the user refused: the command ${why}` };
    if (answer.value === SESSION) await ctx.setState(key, new Date().toISOString());
  }, { onError: "block" });
}
