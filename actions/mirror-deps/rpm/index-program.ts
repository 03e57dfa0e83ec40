/** Unpacks what upstream packed, whichever way (its name's ending says how): pairs of packed file and plain one. */
export const UNPACK_PROGRAM = `
import sys
import libdnf

for packed, plain in zip(sys.argv[1::2], sys.argv[2::2]):
    libdnf.utils.decompress(packed, plain, 0o644)
`

/**
 * Writes `repodata/` of the packages in the folder, by createrepo_c's own library, so that the bytes follow from the
 * packages alone: the only times are the packages' own and the one given, not when a file came to this computer.
 * gzip, because the dnf and yum of older guests read nothing newer.
 *
 * @see https://github.com/rpm-software-management/createrepo_c/tree/master/examples/python
 */
export const INDEX_PROGRAM = `
import json, os
import xml.etree.ElementTree as ET
import createrepo_c as cr

HEADER = b'''<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
'''

ask = json.load(open('ask.json'))
os.makedirs('repodata')
repomd = cr.Repomd()
repomd.set_revision(str(ask['revision']))


def add(kind, path, content=None):
    record = cr.RepomdRecord(kind, path)
    if content is not None:
        record.load_contentstat(content)
    record.fill(cr.SHA256)
    record.timestamp = ask['revision']
    repomd.set_record(record)


def packed(kind, path, name):
    # Through createrepo_c's own writer: the time in gzip's header is 0.
    content = cr.ContentStat(cr.SHA256)
    to = 'repodata/' + name + '.gz'
    out = cr.CrFile(to, cr.MODE_WRITE, cr.GZ_COMPRESSION, content)
    out.write(open(path).read())
    out.close()
    add(kind, to, content)


indexes = []
for kind, writer in (('primary', cr.PrimaryXmlFile), ('filelists', cr.FilelistsXmlFile), ('other', cr.OtherXmlFile)):
    path = 'repodata/' + kind + '.xml.gz'
    content = cr.ContentStat(cr.SHA256)
    out = writer(path, cr.GZ_COMPRESSION, content)
    out.set_num_of_pkgs(len(ask['packages']))
    indexes.append((kind, path, content, out))
for path in ask['packages']:
    package = cr.package_from_rpm(path, location_href=path, changelog_limit=10)
    package.time_file = package.time_build
    for _, _, _, out in indexes:
        out.add_pkg(package)
for kind, path, content, out in indexes:
    out.close()
    add(kind, path, content)

if ask['groups']:
    # What is offered is what is there: only groups whose packages were asked for.
    upstream = ET.parse('comps-upstream.xml').getroot()
    kept = ET.Element('comps')
    for one in upstream:
        if one.tag in ('group', 'environment') and (one.findtext('id') or '').strip() in ask['groups']:
            kept.append(one)
    with open('repodata/comps.xml', 'wb') as out:
        out.write(HEADER)
        out.write(ET.tostring(kept, encoding='utf-8') + b'\\n')
    add('group', 'repodata/comps.xml')
    packed('group_gz', 'repodata/comps.xml', 'comps.xml')

if ask['modules']:
    packed('modules', 'modules.yaml', 'modules.yaml')

repomd.sort_records()
with open('repodata/repomd.xml', 'w') as out:
    out.write(repomd.xml_dump())
`
