/** MQTT topic filters (MQTT 5, section 4.7), for telling which subscription a message belongs to. */

/** The filter without what only says how it is shared: “$share/GROUP/a/#” is “a/#”. */
function unshared(filter) {
  return filter.startsWith('$share/') ? filter.split('/').slice(2).join('/') : filter;
}

/** Whether messages of this topic come by this filter. */
export function topicMatches(filter, topic) {
  const wanted = unshared(filter).split('/');
  const words = topic.split('/');
  if (topic.startsWith('$') && /^[+#]/.test(wanted[0])) {
    return false;
  }
  for (const [index, word] of wanted.entries()) {
    if (word === '#') {
      return true;
    }
    if (index >= words.length || (word !== '+' && word !== words[index])) {
      return false;
    }
  }
  return wanted.length === words.length;
}
