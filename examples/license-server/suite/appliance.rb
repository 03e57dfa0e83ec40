# frozen_string_literal: true

require 'json'
require 'net/http'
require 'net/ssh'
require 'open3'
require 'socket'
require 'tempfile'

# The machine under test, as `appliance vm-validate` hands it over in the environment:
#
#   APPLIANCE_HOST, APPLIANCE_PORT_22, APPLIANCE_PORT_80   where it is
#   APPLIANCE_URL                                          its web server
#   APPLIANCE_SSH_CONFIG                                   for `ssh -F`: the host `appliance`
#   APPLIANCE_SECRET_ADMIN                                 what the spec has under secrets: as `admin`
#
# and the command `appliance vm`, which talks to this very machine.
class Appliance
  Result = Struct.new(:status, :output)

  def password = ENV.fetch('APPLIANCE_SECRET_ADMIN')

  # Whatever happened to it: as it was when it had booted for the first time.
  def rollback(name = nil) = control('rollback', *name)
  def snapshot(name) = control('snapshot', name)
  def screenshot(file) = control('screenshot', file)
  def power_cut = control('power-cut')
  def boot = control('boot')

  # A shell command in the guest. A connection each: a rollback ends those of before.
  def run(command)
    Net::SSH.start('appliance', 'root', config: [ENV.fetch('APPLIANCE_SSH_CONFIG')], verify_host_key: :never,
                                        non_interactive: true) do |ssh|
      output = ssh.exec!(command)
      Result.new(output.exitstatus, output.to_s)
    end
  end

  def run!(command)
    result = run(command)
    raise "#{command}: exit status #{result.status}: #{result.output}" unless result.status.zero?

    result.output
  end

  def download(path) = run!("base64 -w 0 #{path}").unpack1('m')

  def upload(content, path)
    run!("echo #{[content].pack('m0')} | base64 -d > #{path}")
  end

  def listens?(port)
    Socket.tcp(ENV.fetch('APPLIANCE_HOST'), port, connect_timeout: 5).close
    true
  rescue Errno::ECONNREFUSED, Errno::ETIMEDOUT
    false
  end

  def get(path) = request(Net::HTTP::Get.new(path))

  def post(path, json)
    request(Net::HTTP::Post.new(path, 'content-type' => 'application/json').tap { |it| it.body = JSON.generate(json) })
  end

  private

  def request(question)
    uri = URI(ENV.fetch('APPLIANCE_URL'))
    Net::HTTP.start(uri.host, uri.port, open_timeout: 20, read_timeout: 60) { |http| http.request(question) }
  end

  def control(*words)
    said, status = Open3.capture2e('appliance', 'vm', *words)
    raise "appliance vm #{words.join(' ')}: #{said}" unless status.success?
  end
end
