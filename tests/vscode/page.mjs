// Takes a picture of a local page, as large as its content. usage: page.mjs PAGE.html PICTURE.png

import { pathToFileURL } from "node:url";

import { launchBrowser } from "./editor.mjs";

const [file, picture] = process.argv.slice(2);
const browser = await launchBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 760 } });
  await page.goto(pathToFileURL(file).href);
  await page.locator("pre").screenshot({ path: picture });
} finally {
  await browser.close();
}
