// Doctor and usage as Markdown documents.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Content } from "./content.ts";
import { attempt } from "./errors.ts";
import type { Status } from "./protocol.ts";
import { escapeCell } from "./statusText.ts";
import { usageReport } from "./usageText.ts";

export class Reports {
  constructor(
    private readonly client: Client,
    private readonly content: Content,
    private readonly session: () => string | undefined,
    private readonly status: () => Status | undefined,
  ) {}

  async doctor(): Promise<void> {
    await attempt(async () => {
      const { checks } = await this.client.call("kit.doctor", {});
      const rows = checks.map((check) =>
        `| ${check.ok ? "✓" : "✗"} | ${escapeCell(check.name)} | ${escapeCell(check.detail)}${check.fix ? `<br>→ ${escapeCell(check.fix)}` : ""} |`);
      const failed = checks.filter((check) => !check.ok).length;
      const verdict = failed === 0 ? "Everything is in order." : `${failed} of ${checks.length} checks need attention.`;
      await this.content.showReport("Kit Doctor",
        `# Kit Doctor\n\n${verdict}\n\n|  | Check | Result |\n|:--|:--|:--|\n${rows.join("\n")}\n\nVS Code ${vscode.version}\n`);
    });
  }

  async usage(): Promise<void> {
    await attempt(async () => {
      const session = this.session();
      const usage = await this.client.call("kit.usage.get", session ? { session } : {});
      await this.content.showReport("Kit Usage", usageReport(usage, this.status()));
    });
  }
}
