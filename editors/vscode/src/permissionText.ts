// The permissions of an extension as lines for people. Pure; what a newer server adds is shown as it is.

const phrases: Record<string, (values: string) => string> = {
  http: (values) => `fetch from ${values}`,
  exec: (values) => `run ${values}`,
  "fs.read": (values) => `read ${values}`,
  "fs.write": (values) => `write ${values}`,
  env: (values) => `see the variables ${values}`,
};

export function permissionLines(permissions: unknown, prefix = ""): string[] {
  if (typeof permissions !== "object" || permissions === null) return [];
  return Object.entries(permissions).flatMap(([key, value]: [string, unknown]) => {
    const name = `${prefix}${key}`;
    if (!Array.isArray(value)) return permissionLines(value, `${name}.`);
    if (value.length === 0) return [];
    const values = value.map(String).join(", ");
    return [phrases[name]?.(values) ?? `${name}: ${values}`];
  });
}
