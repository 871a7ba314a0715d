// biome-ignore lint/suspicious/noControlCharactersInRegex: texts of users and agents must not steer the terminal
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above, with tabs and line breaks
const CONTROL_AND_BREAKS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** A text of several lines without what a terminal would obey. */
export const printable = (text: string): string => text.replace(/\r\n/g, "\n").replace(CONTROL, "");

/** A text in one line without what a terminal would obey. */
export const oneLine = (text: string): string => text.replace(CONTROL_AND_BREAKS, " ");
