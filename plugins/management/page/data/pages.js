/** Pages of what the API gives by offset and count, as a list wants them. */

/** Of a list's query: { offset, count }. */
export function offsetOf({ page, page_size: size }) {
  return { offset: (page - 1) * size, count: size };
}

/** answer: { items, total }. */
export function pageOf({ items, total }, { page, page_size: size }) {
  return { items, page, page_count: Math.max(1, Math.ceil(total / size)), filtered_count: total, total_count: total };
}
