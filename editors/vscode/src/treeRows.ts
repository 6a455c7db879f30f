// A session's tree as rows for people: the branch that is read is a plain list, each other branch hangs folded on the
// entry that it leaves. Entries without words of their own, such as results of tools, are left out. Pure.

import type { SessionNode } from "./protocol.ts";

export interface TreeRow {
  node: SessionNode;
  /** Whether the next prompt follows this entry. */
  leaf: boolean;
  /** Other ways to go on from here, each as the list of its rows. */
  branches: TreeRow[][];
}

const silentTypes = new Set(["label", "session_info", "extension_data"]);

export function treeRows(nodes: SessionNode[]): TreeRow[] {
  const children = new Map<string | undefined, SessionNode[]>();
  for (const node of nodes) {
    const siblings = children.get(node.parent);
    if (siblings) siblings.push(node);
    else children.set(node.parent, [node]);
  }
  const current = nodes.filter((node) => node.current);
  const leaf = current.findLast(isShown)?.id;
  return list(children.get(undefined) ?? [], undefined, children, leaf);
}

function isShown(node: SessionNode): boolean {
  // The model that a session begins with is no change.
  const begins = node.type === "model_change" && node.parent === undefined;
  return node.label !== undefined || (node.role !== "tool" && !silentTypes.has(node.type) && !begins);
}

/** The rows from some first entries on; what does not lie on the way goes to the row before, or to the first one. */
function list(starts: SessionNode[], before: TreeRow | undefined, children: Map<string | undefined, SessionNode[]>, leaf: string | undefined): TreeRow[] {
  const rows: TreeRow[] = [];
  let last = before;
  let next = starts;
  const early: TreeRow[][] = [];
  while (next.length > 0) {
    const main = next.find((node) => node.current) ?? next.at(-1);
    for (const other of next) {
      if (other === main) continue;
      const branch = list([other], undefined, children, leaf);
      if (branch.length > 0) (last?.branches ?? early).push(branch);
    }
    if (!main) break;
    if (isShown(main)) {
      last = { node: main, leaf: main.id === leaf, branches: [] };
      rows.push(last);
    }
    next = children.get(main.id) ?? [];
  }
  rows[0]?.branches.unshift(...early);
  return rows;
}

/** What stands on a row. */
export function rowLabel({ node }: TreeRow): string {
  if (node.text.trim() !== "") return node.text;
  return node.role ?? node.type.replace(/_/g, " ");
}

export function rowKind({ node }: TreeRow): string {
  switch (node.type) {
    case "message":
      return node.role === "assistant" ? "Kit" : node.role === "user" ? "You" : (node.role ?? "");
    case "compaction":
      return "Summary";
    case "branch_summary":
      return "Summary of a branch";
    case "model_change":
      return "Model";
    default:
      return node.type.replace(/_/g, " ");
  }
}

export function size(rows: TreeRow[]): number {
  return rows.reduce((sum, row) => sum + 1 + row.branches.reduce((inner, branch) => inner + size(branch), 0), 0);
}
