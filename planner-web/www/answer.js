export function startAnswer() {}
export function speakAnswer() {}
export function ask() {}
