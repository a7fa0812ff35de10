/** Times, sizes and counts as the page writes them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];

/** 14:03:27.051 */
export function timeText(milliseconds) {
  const date = new Date(milliseconds);
  const two = (value) => String(value).padStart(2, '0');
  const thousandths = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}

/** 512 B, 3.1 KiB */
export function sizeText(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** 12,345 */
export function countText(count) {
  return count.toLocaleString('en');
}
