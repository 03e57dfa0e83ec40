/**
 * What runs in the root, by dnf's own Python API: reads `ask.json`, writes `answer.json`. Every repository is a
 * folder here with upstream's index in it, so dnf needs no network, and what it solves with is what is kept.
 *
 * `solve`: one transaction of everything that all sources ask for, into an empty install root.
 * `describe`: what the indexes say of the packages named, for the proof.
 *
 * @see https://dnf.readthedocs.io/en/latest/api.html; what begins with an underscore is dnf's own, and the version of
 *      dnf is pinned by the lock
 */
export const DNF_PROGRAM = `
import json, os, sys
import xml.etree.ElementTree as ET
import dnf, dnf.exceptions, dnf.module.module_base, dnf.module.exceptions, dnf.selector, hawkey

here = os.getcwd()
ask = json.load(open('ask.json'))
faults = []
notes = []


def fault(kind, message, source=None):
    faults.append({'kind': kind, 'source': source, 'message': ' '.join(str(message).split())})


def answer(**what):
    with open('answer.json', 'w') as out:
        json.dump({'faults': faults, 'notes': notes, **what}, out)
    sys.exit(0)


class Base(dnf.Base):
    def _set_excludes_from_weak_to_goal(self):
        super()._set_excludes_from_weak_to_goal()
        firm = [source['name'] for source in ask['sources'] if not source['weak']]
        if firm:
            self._goal.add_exclude_from_weak(self.sack.query().available().filter(reponame=firm))


def configured():
    conf = dnf.conf.Conf()
    for folder in ('install', 'cache', 'state', 'log'):
        os.makedirs(folder, exist_ok=True)
    conf.installroot = here + '/install'
    conf.cachedir = here + '/cache'
    conf.persistdir = here + '/state'
    conf.logdir = here + '/log'
    conf.reposdir = []
    conf.varsdir = []
    conf.plugins = False
    conf.best = True
    conf.gpgcheck = True
    conf.install_weak_deps = any(source['weak'] for source in ask['sources'])
    if hasattr(conf, 'optional_metadata_types'):
        conf.optional_metadata_types = ['filelists']
    conf.substitutions['arch'] = ask['arch']
    conf.substitutions['basearch'] = ask['arch']
    if ask['releasever']:
        conf.substitutions['releasever'] = ask['releasever']
    return conf


# Groups are read here and not by dnf: the libcomps 0.1.21 of Debian 13 cannot list them under its Python 3.13
# (https://github.com/rpm-software-management/libcomps/pull/116).
def comps_of(repo):
    for kind in ('group', 'group_gz'):
        content = repo.get_metadata_content(kind)
        if content:
            return ET.fromstring(content)
    return None


def texts(element, path):
    return [(found.text or '').strip() for found in element.findall(path)]


def is_wanted(element, wanted):
    return bool(wanted.intersection(texts(element, 'id') + texts(element, 'name')))


def fits(element):
    return ask['arch'] in element.get('arch', ask['arch']).replace(' ', '').split(',')


# As dnf does it: what is mandatory or default comes, what is optional does not, what is conditional only if that on
# which it depends is there; a package that no repository has is no error, since groups name many for other systems.
def install_group(group):
    for requirement in group.findall('packagelist/packagereq'):
        name, kind = (requirement.text or '').strip(), requirement.get('type', 'mandatory')
        if not fits(requirement) or kind == 'optional':
            continue
        if kind == 'conditional':
            selector = dnf.selector.Selector(base.sack)
            selector.set(provides='(%s if %s)' % (name, requirement.get('requires')))
            base._goal.install(select=selector, optional=True)
            continue
        try:
            base.install(name)
        except dnf.exceptions.MarkingError:
            notes.append('group %s: no repository has its package %s' % (texts(group, 'id')[0], name))


base = Base(configured())
for source in ask['sources']:
    repo = dnf.repo.Repo(source['name'], base.conf)
    repo.baseurl = ['file://' + here + '/sources/' + source['name']]
    repo.skip_if_unavailable = False
    for kind in ('updateinfo', 'prestodelta'):
        repo.remove_metadata_type_from_download(kind)
    try:
        base.repos.add(repo)
        repo.load()
    except dnf.exceptions.Error as error:
        fault('index', error, source['name'])
if faults:
    answer()

try:
    base.fill_sack(load_system_repo=False)
except dnf.exceptions.Error as error:
    fault('index', error)
    answer()


def described(package):
    kind, digest = package.chksum
    return {
        'source': package.reponame,
        'name': package.name,
        'version': package.evr,
        'arch': package.arch,
        'href': package.location,
        'base': package.baseurl,
        'checksum': {'type': hawkey.chksum_name(kind), 'hex': digest.hex()},
        'size': package.downloadsize,
        'license': package.license,
    }


if ask['task'] == 'describe':
    everything = base.sack.query(flags=hawkey.IGNORE_EXCLUDES).available()
    names = set(ask['names'])
    answer(packages=[described(package) for package in everything if package.name in names])

# Module streams first: they decide which packages there are.
modules = dnf.module.module_base.ModuleBase(base)
for source in ask['sources']:
    for spec in source['modules']:
        try:
            modules.enable([spec])
        except dnf.exceptions.Error as error:
            fault('module', error, source['name'])
if faults:
    answer()

# Groups: those asked for, and those that an environment asked for has. Each may be in several repositories.
asked = {group for source in ask['sources'] for group in source['groups']}
comps = {repo.id: comps_of(repo) for repo in base.repos.iter_enabled()} if asked else {}
comps = {name: found for name, found in comps.items() if found is not None}
wanted = set(asked)
groups = {}
for name, found in comps.items():
    for environment in found.findall('environment'):
        if is_wanted(environment, asked):
            groups.setdefault(name, []).append(environment)
            wanted.update(texts(environment, 'grouplist/groupid'))
for name, found in comps.items():
    for group in found.findall('group'):
        if is_wanted(group, wanted) and fits(group):
            groups.setdefault(name, []).append(group)
            install_group(group)
for source in ask['sources']:
    for spec in source['packages']:
        try:
            base.install(spec)
        except dnf.exceptions.Error as error:
            fault('package', error, source['name'])
    for group in source['groups']:
        if not any(is_wanted(one, {group}) for found in groups.values() for one in found):
            fault('package', 'no repository has the group %s' % group, source['name'])
if faults:
    answer()

try:
    base.resolve()
except dnf.exceptions.DepsolveError as error:
    fault('depsolve', error)
    answer()
solved = sorted(base.transaction.install_set, key=lambda package: (package.reponame, str(package)))

# Which module streams the packages come from: those enabled, those they need, and default ones.
names = {'%s-%d:%s-%s.%s' % (p.name, p.epoch, p.version, p.release, p.arch) for p in solved}
streams = {}
container = base._moduleContainer
enabled_streams = {spec for source in ask['sources'] for spec in source['modules']}
for module in (container.getModulePackages() if container is not None else []):
    if not container.isModuleActive(module.getId()):
        continue
    stream = '%s:%s' % (module.getName(), module.getStream())
    if stream in enabled_streams or names.intersection(module.getArtifacts()):
        streams.setdefault(module.getRepoID(), set()).add(stream)

answer(
    packages=[described(package) for package in solved],
    modules={name: sorted(found) for name, found in streams.items()},
    groups={name: sorted({texts(one, 'id')[0] for one in found}) for name, found in groups.items()},
)
`
