// A shopping list.

export function total(items) {
  let sum = 0;
  for (let i = 0; i < items.length; i++) {
    sum += items[i].cents;
  }
  return sum;
}

export function receipt(items) {
  return items.map(line).join("\n");
}

function line(item) {
  return item.name + ": " + item.cents;
}
